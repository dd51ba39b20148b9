import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.admin.ZooKeeperAdmin;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

/** Apache's Java client, told by lines on its input what to do; answers each with the line "done". */
public class Client {
    interface Action { void run() throws Exception; }

    static final int TIMEOUT = 6000;
    static final Watcher SILENT = event -> {};
    static final List<ZooKeeper> clients = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            String[] words = line.split(" ");
            switch (words[0]) {
                case "reads": reads(connect(words[1])); break;
                case "writes": writes(connect(words[1])); break;
                case "multis": multis(connect(words[1])); break;
                case "watches": watches(connect(words[1])); break;
                case "auth": auth(words[1]); break;
                case "idle": Thread.sleep(TIMEOUT * 2 / 3); break;
                case "hold": hold(words[1]); break;
                case "move": move(words[1], words[2]); break;
                case "close": closeAll(); break;
                case "lost": lost(words[1]); break;
                case "reconfig": reconfig(words[1], null, words[2]); break;
                case "rejoin": rejoin(words[1], words[2]); break;
                case "create2s": create2s(connect(words[1])); break;
                case "readonly": readOnly(words[1]); break;
                default: throw new IllegalArgumentException(line);
            }
            System.out.println("done");
            System.out.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    static ZooKeeper connect(String server) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper zk = new ZooKeeper(server, TIMEOUT, event -> {
            if (event.getState() == Watcher.Event.KeeperState.SyncConnected) connected.countDown();
        });
        connected.await();
        clients.add(zk);
        return zk;
    }

    static byte[] bytes(String text) { return text.getBytes(StandardCharsets.UTF_8); }

    /** An action that the server refuses. */
    static void refused(KeeperException.Code code, Action action) throws Exception {
        try {
            action.run();
        } catch (KeeperException error) {
            if (error.code() == code) return;
            throw error;
        }
        throw new IllegalStateException("not refused: " + code);
    }

    static void writes(ZooKeeper zk) throws Exception {
        zk.create("/a", bytes("x"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/null", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/empty", new byte[0], Ids.READ_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/a/stat", bytes("with stat"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, new Stat());
        zk.create("/a/s-", bytes("1"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL);
        zk.create("/a/e-", bytes("2"), Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL);
        zk.create("/e", bytes("3"), Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL, new Stat());
        zk.create("/container", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
        zk.create("/container/child", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/ttl", bytes("t"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, new Stat(), 86_400_000L);
        zk.create("/ttl-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, new Stat(), 86_400_000L);
        zk.create("/\u00fc\u4e2d", bytes("\u00fc\u4e2d"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        refused(KeeperException.Code.NODEEXISTS,
            () -> zk.create("/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        refused(KeeperException.Code.NOCHILDRENFOREPHEMERALS,
            () -> zk.create("/e/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        zk.setData("/a", bytes("y"), 0);
        zk.setData("/a", null, -1);
        zk.setData("/a", bytes("z"), -1);
        refused(KeeperException.Code.BADVERSION, () -> zk.setData("/a", bytes("z"), 7));
        List<ACL> acl = Arrays.asList(
            new ACL(Perms.ALL, new Id("world", "anyone")),
            new ACL(Perms.READ | Perms.WRITE, new Id("ip", "127.0.0.1")),
            new ACL(Perms.ADMIN, new Id("digest", "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=")));
        zk.setACL("/null", acl, 0);
        zk.create("/gone", bytes("gone"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.delete("/gone", 0);
        refused(KeeperException.Code.NOTEMPTY, () -> zk.delete("/a", -1));
        zk.delete("/container/child", -1);
        refused(KeeperException.Code.INVALIDACL,
            () -> zk.create("/bad", null, Arrays.asList(new ACL(31, new Id("no", "one"))), CreateMode.PERSISTENT));
    }

    static void reads(ZooKeeper zk) throws Exception {
        Stat stat = new Stat();
        zk.exists("/a", false);
        zk.exists("/nothing", true);
        zk.getData("/a", true, stat);
        zk.getData("/null", false, stat);
        zk.getData("/empty", false, stat);
        refused(KeeperException.Code.NONODE, () -> zk.getData("/nothing", false, stat));
        zk.getACL("/null", stat);
        zk.getACL("/a", stat);
        zk.getChildren("/a", true);
        zk.getChildren("/a", false, stat);
        zk.getChildren("/empty", false, stat);
        CountDownLatch synced = new CountDownLatch(1);
        zk.sync("/a", (code, path, context) -> synced.countDown(), null);
        synced.await();
        zk.create("/mine", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        zk.getEphemerals();
        zk.getEphemerals("/mine");
        zk.getAllChildrenNumber("/");
        zk.whoAmI();
        zk.multi(Arrays.asList(Op.getChildren("/a"), Op.getData("/a"), Op.getData("/nothing"), Op.getData("/null")));
    }

    static void multis(ZooKeeper zk) throws Exception {
        zk.multi(Arrays.asList(
            Op.create("/m", bytes("m"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.create("/m/s-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL),
            Op.create("/m/e", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL),
            Op.create("/m/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER),
            Op.create("/m/t", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, 86_400_000L),
            Op.create("/m/d", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.check("/m", 0),
            Op.setData("/m", bytes("n"), 0),
            Op.delete("/m/d", 0)));
        refused(KeeperException.Code.BADVERSION, () -> zk.multi(Arrays.asList(
            Op.create("/m/no", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.check("/m", 99),
            Op.delete("/m", -1))));
        zk.multi(new ArrayList<>());
    }

    static void watches(ZooKeeper zk) throws Exception {
        zk.create("/w", bytes("w"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.exists("/w", true);
        zk.getChildren("/w", true);
        zk.exists("/w/child", true);
        zk.create("/w/child", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.setData("/w", bytes("v"), -1);
        zk.getData("/w/child", true, null);
        zk.delete("/w/child", -1);
        zk.addWatch("/w", SILENT, AddWatchMode.PERSISTENT);
        zk.addWatch("/w/deep", SILENT, AddWatchMode.PERSISTENT_RECURSIVE);
        zk.create("/w/deep", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/w/deep/er", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Watcher one = event -> {};
        zk.getData("/w", one, null);
        zk.exists("/w", SILENT);
        zk.removeWatches("/w", one, Watcher.WatcherType.Data, false);
        zk.removeAllWatches("/w", Watcher.WatcherType.Any, false);
        zk.addWatch("/w", SILENT, AddWatchMode.PERSISTENT);
    }

    static void auth(String server) throws Exception {
        ZooKeeper zk = connect(server);
        zk.addAuthInfo("digest", bytes("user:password"));
        zk.create("/private", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        zk.getACL("/private", new Stat());
        zk.whoAmI();
        refused(KeeperException.Code.NOAUTH, () -> connect(server).getData("/private", false, null));
        ZooKeeper refused = connect(server);
        refused.addAuthInfo("unheard", bytes("of"));
        try {
            refused.exists("/", false);
        } catch (KeeperException error) {
            // Refused or disconnected, by chance.
        }
        refused.close();
    }

    /** Sessions that outlive the server: one with one-time watches only, one with persistent ones too. */
    static void hold(String server) throws Exception {
        ZooKeeper plain = connect(server);
        plain.create("/held", bytes("held"), Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        plain.getData("/held", true, null);
        plain.getChildren("/", true);
        plain.exists("/absent", true);
        ZooKeeper persistent = connect(server);
        persistent.getData("/held", true, null);
        persistent.addWatch("/held", SILENT, AddWatchMode.PERSISTENT);
        persistent.addWatch("/a", SILENT, AddWatchMode.PERSISTENT_RECURSIVE);
    }

    /** Takes a session from one server to another while the first connection still stands. */
    static void move(String from, String to) throws Exception {
        ZooKeeper old = connect(from);
        old.create("/moving", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper moved = new ZooKeeper(to, TIMEOUT, event -> {
            if (event.getState() == Watcher.Event.KeeperState.SyncConnected) connected.countDown();
        }, old.getSessionId(), old.getSessionPasswd());
        connected.await();
        moved.exists("/moving", false);
        CountDownLatch expired = new CountDownLatch(1);
        ZooKeeper unknown = new ZooKeeper(to, TIMEOUT, event -> {
            if (event.getState() == Watcher.Event.KeeperState.Expired) expired.countDown();
        }, old.getSessionId(), new byte[16]);
        expired.await();
        unknown.close();
        clients.remove(old);
        clients.add(moved);
    }

    static void closeAll() throws Exception {
        for (ZooKeeper zk : clients) zk.close();
        clients.clear();
    }

    /** A write that the leader logs and no follower ever sees. */
    static void lost(String server) throws Exception {
        ZooKeeper zk = clients.get(clients.size() - 1);
        zk.create("/lost", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, (code, path, context, name) -> {}, null);
    }

    /** A create that a multi encodes as create2: Apache's encoder and decoder know it, no method of its API asks for it. */
    static Op create2(String path, byte[] data, CreateMode mode) throws Exception {
        Op op = Op.create(path, data, Ids.OPEN_ACL_UNSAFE, mode);
        Field type = Op.class.getDeclaredField("type");
        type.setAccessible(true);
        type.setInt(op, ZooDefs.OpCode.create2);
        return op;
    }

    static void create2s(ZooKeeper zk) throws Exception {
        zk.multi(Arrays.asList(
            create2("/two", bytes("2"), CreateMode.PERSISTENT),
            create2("/two/s-", null, CreateMode.PERSISTENT_SEQUENTIAL),
            Op.setData("/two", bytes("3"), 0)));
        refused(KeeperException.Code.NODEEXISTS,
            () -> zk.multi(Arrays.asList(create2("/two", null, CreateMode.PERSISTENT))));
    }

    static ZooKeeperAdmin admin(String server) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeperAdmin admin = new ZooKeeperAdmin(server, TIMEOUT, event -> {
            if (event.getState() == Watcher.Event.KeeperState.SyncConnected) connected.countDown();
        });
        connected.await();
        return admin;
    }

    static void reconfig(String server, String joining, String leaving) throws Exception {
        ZooKeeperAdmin admin = admin(server);
        admin.reconfigure(joining, leaving, null, -1, new Stat());
        admin.close();
    }

    /** Adds a member, after two changes that are refused: of an older configuration, and to a single voter. */
    static void rejoin(String server, String member) throws Exception {
        ZooKeeperAdmin admin = admin(server);
        refused(KeeperException.Code.BADVERSION, () -> admin.reconfigure(member, null, null, 1, new Stat()));
        refused(KeeperException.Code.BADARGUMENTS, () -> admin.reconfigure(null, "1,2", null, -1, new Stat()));
        admin.reconfigure(member, null, null, -1, new Stat());
        admin.getConfig(false, new Stat());
        admin.close();
    }

    /** A session at a server without a majority, and a client that takes no such session. */
    static void readOnly(String server) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper zk = new ZooKeeper(server, TIMEOUT, event -> {
            if (event.getState() == Watcher.Event.KeeperState.ConnectedReadOnly) connected.countDown();
        }, true);
        connected.await();
        zk.exists("/", false);
        refused(KeeperException.Code.NOTREADONLY, () -> zk.setData("/two", null, -1));
        zk.close();
    }
}
