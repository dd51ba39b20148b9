/* The C client from its first connection to its session's end.
 *
 * usage: session PROXY SERVER
 * Prints !close and !open where the proxy shall cut and let through, and ok at the end.
 * Built with: cc -DTHREADED session.c -lzookeeper_mt -lpthread
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zookeeper/zookeeper.h>

enum { TIMEOUT_MS = 2500, PATIENCE_S = 40, MAX_EVENTS = 64 };

/* A handle, the newest state, and the events of its watches in order. */
struct client {
    zhandle_t *zk;
    int state;
    int disconnects;
    char events[MAX_EVENTS][64];
    int arrived, taken;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void fail(const char *what, int found)
{
    printf("FAILED: %s (%d)\n", what, found);
    exit(1);
}

static void same(int expected, int found, const char *what)
{
    if (expected != found)
        fail(what, found);
}

static void say(const char *line)
{
    puts(line);
    fflush(stdout);
}

static void on_session(zhandle_t *zk, int type, int state, const char *path, void *context)
{
    struct client *client = context;
    (void)zk;
    (void)path;
    if (type != ZOO_SESSION_EVENT)
        return;
    pthread_mutex_lock(&lock);
    client->disconnects += state != ZOO_CONNECTED_STATE;
    client->state = state;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static const char *name_of(int type)
{
    if (type == ZOO_CREATED_EVENT)
        return "created";
    if (type == ZOO_DELETED_EVENT)
        return "deleted";
    if (type == ZOO_CHANGED_EVENT)
        return "changed";
    return type == ZOO_CHILD_EVENT ? "child" : "other";
}

static void on_watch(zhandle_t *zk, int type, int state, const char *path, void *context)
{
    struct client *client = context;
    (void)zk;
    (void)state;
    if (type == ZOO_SESSION_EVENT)
        return;
    pthread_mutex_lock(&lock);
    snprintf(client->events[client->arrived++ % MAX_EVENTS], 64, "%s %s", name_of(type), path);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* Waits, with `lock` held, for any change; fails after PATIENCE_S. */
static void wait_for_change(const char *what)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += PATIENCE_S;
    if (pthread_cond_timedwait(&changed, &lock, &limit))
        fail(what, 0);
}

static void await_state(struct client *client, int state, const char *what)
{
    pthread_mutex_lock(&lock);
    while (client->state != state)
        wait_for_change(what);
    pthread_mutex_unlock(&lock);
}

static void await_disconnect(struct client *client, int before)
{
    pthread_mutex_lock(&lock);
    while (client->disconnects == before)
        wait_for_change("a disconnection");
    pthread_mutex_unlock(&lock);
}

static void await_event(struct client *client, const char *expected)
{
    pthread_mutex_lock(&lock);
    while (client->taken == client->arrived)
        wait_for_change(expected);
    if (strcmp(client->events[client->taken++ % MAX_EVENTS], expected))
        fail(expected, client->taken);
    pthread_mutex_unlock(&lock);
}

static void start(struct client *client, const char *address)
{
    client->zk = zookeeper_init(address, on_session, TIMEOUT_MS, 0, client, 0);
    if (!client->zk)
        fail("zookeeper_init", 0);
    await_state(client, ZOO_CONNECTED_STATE, "a connection");
}

static void create(struct client *client, const char *path, int flags)
{
    int rc = zoo_create(client->zk, path, "0", 1, &ZOO_OPEN_ACL_UNSAFE, flags, NULL, 0);
    same(ZOK, rc, path);
}

static void operations(struct client *client)
{
    char name[64], data[16];
    int length = sizeof data;
    struct Stat stat;
    struct String_vector children;
    zoo_op_t ops[3];
    zoo_op_result_t results[3];

    create(client, "/c", 0);
    same(ZNODEEXISTS, zoo_create(client->zk, "/c", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0), "node exists");
    same(ZOK, zoo_create2(client->zk, "/c/s-", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, name, sizeof name, &stat),
         "create2");
    same(0, strcmp(name, "/c/s-0000000000"), "sequential name");
    same(ZOK, zoo_set2(client->zk, "/c", "one", 3, 0, &stat), "set");
    same(1, stat.version, "version");
    same(ZBADVERSION, zoo_set(client->zk, "/c", "two", 3, 0), "bad version");
    same(ZOK, zoo_get(client->zk, "/c", 0, data, &length, &stat), "get");
    same(3, length, "length");
    same(ZOK, zoo_get_children(client->zk, "/c", 0, &children), "children");
    same(1, children.count, "number of children");
    deallocate_String_vector(&children);
    zoo_delete_op_init(&ops[0], "/c/s-0000000000", -1);
    zoo_check_op_init(&ops[1], "/c", 0);
    zoo_delete_op_init(&ops[2], "/c", -1);
    same(ZBADVERSION, zoo_multi(client->zk, 3, ops, results), "failed multi");
    same(ZBADVERSION, results[1].err, "second result");
    same(ZRUNTIMEINCONSISTENCY, results[2].err, "third result");
    zoo_check_op_init(&ops[1], "/c", 1);
    same(ZOK, zoo_multi(client->zk, 3, ops, results), "multi");
    same(ZNONODE, zoo_exists(client->zk, "/c", 0, &stat), "gone");
}

static void session(struct client *client, struct client *other)
{
    char data[16];
    int length = sizeof data, before;
    struct Stat stat;
    struct String_vector children;
    int64_t id = zoo_client_id(client->zk)->client_id;

    create(client, "/mine", ZOO_EPHEMERAL);
    create(other, "/w", 0);
    same(ZOK, zoo_wget(client->zk, "/w", on_watch, client, data, &length, &stat), "watch data");
    same(ZOK, zoo_set(other->zk, "/w", "1", 1, -1), "set");
    await_event(client, "changed /w");
    length = sizeof data;
    same(ZOK, zoo_wget(client->zk, "/w", on_watch, client, data, &length, &stat), "watch data");
    same(ZOK, zoo_wget_children(client->zk, "/w", on_watch, client, &children), "watch children");
    deallocate_String_vector(&children);
    same(ZNONODE, zoo_wexists(client->zk, "/new", on_watch, client, &stat), "watch creation");

    /* Lost and re-attached: the same session, and the events of the meantime. */
    before = client->disconnects;
    say("!close");
    await_disconnect(client, before);
    same(ZOK, zoo_set(other->zk, "/w", "2", 1, -1), "set");
    create(other, "/w/c", 0);
    say("!open");
    await_event(client, "changed /w");
    await_event(client, "child /w");
    await_state(client, ZOO_CONNECTED_STATE, "a connection");
    same(1, zoo_client_id(client->zk)->client_id == id, "same session");
    create(other, "/new", 0);
    await_event(client, "created /new");
    same(ZOK, zoo_wexists(other->zk, "/mine", on_watch, other, &stat), "ephemeral node");
    same(1, stat.ephemeralOwner == id, "its owner");

    /* Away for too long: the session is over. */
    say("!close");
    await_event(other, "deleted /mine");
    say("!open");
    await_state(client, ZOO_EXPIRED_SESSION_STATE, "expiry");
}

int main(int argc, char **argv)
{
    static struct client client, other;
    if (argc != 3)
        fail("usage: session PROXY SERVER", argc);
    /* Each refused attempt would be a line. */
    zoo_set_log_stream(fopen("/dev/null", "w"));
    start(&client, argv[1]);
    start(&other, argv[2]);
    operations(&other);
    session(&client, &other);
    zookeeper_close(client.zk);
    zookeeper_close(other.zk);
    say("ok");
    return 0;
}
