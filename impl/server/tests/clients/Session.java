// The Java client from its first connection to its session's end.
//
// usage: java Session.java PROXY SERVER
// Prints !close and !open where the proxy shall cut and let through, and ok at the end.

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

public class Session {
    static final int TIMEOUT_MS = 5000;
    static final int PATIENCE_S = 40;

    /** A handle, its state changes, and the events of its watches. */
    static class Client implements Watcher {
        final BlockingQueue<KeeperState> states = new LinkedBlockingQueue<>();
        final BlockingQueue<String> events = new LinkedBlockingQueue<>();
        final ZooKeeper zk;

        Client(String address) throws Exception {
            zk = new ZooKeeper(address, TIMEOUT_MS, this);
            await(KeeperState.SyncConnected);
        }

        @Override
        public void process(WatchedEvent event) {
            if (event.getType() == EventType.None) {
                states.add(event.getState());
            }
        }

        Watcher watcher() {
            return event -> {
                if (event.getType() != EventType.None) {
                    events.add(event.getType() + " " + event.getPath());
                }
            };
        }

        void await(KeeperState wanted) throws Exception {
            KeeperState state;
            do {
                state = states.poll(PATIENCE_S, TimeUnit.SECONDS);
                check(state != null, "waited in vain for " + wanted);
            } while (state != wanted);
        }

        String event() throws Exception {
            String event = events.poll(PATIENCE_S, TimeUnit.SECONDS);
            check(event != null, "waited in vain for an event");
            return event;
        }
    }

    static void check(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    static void same(Object expected, Object found) {
        check(expected.equals(found), "expected " + expected + ", found " + found);
    }

    static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    static void operations(ZooKeeper zk) throws Exception {
        Stat stat = new Stat();
        same("/j", zk.create("/j", "0".getBytes(), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, stat));
        same(1, stat.getDataLength());
        zk.create("/j/t", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, stat, 600_000);
        zk.create("/j/c", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
        check(zk.getData("/j/t", false, null) == null, "null data came back otherwise");
        same(0, zk.getData("/j/c", false, null).length);
        same(2, zk.getAllChildrenNumber("/j"));
        List<Op> ops = new ArrayList<>();
        ops.add(Op.check("/j", 0));
        ops.add(Op.setData("/j", "1".getBytes(), 0));
        ops.add(Op.delete("/j/t", -1));
        List<OpResult> results = zk.multi(ops);
        same(1, ((OpResult.SetDataResult) results.get(1)).getStat().getVersion());
        try {
            zk.multi(ops);
            check(false, "a multi passed that must not");
        } catch (KeeperException.BadVersionException e) {
            same(3, e.getResults().size());
        }
        List<Op> reads = List.of(Op.getData("/j"), Op.getChildren("/none"));
        List<OpResult> found = zk.multi(reads);
        same("1", new String(((OpResult.GetDataResult) found.get(0)).getData()));
        same(KeeperException.Code.NONODE.intValue(), ((OpResult.ErrorResult) found.get(1)).getErr());
        same("ip", zk.whoAmI().get(0).getAuthScheme());
    }

    static void session(String proxy, String server) throws Exception {
        Client client = new Client(proxy);
        Client other = new Client(server);
        long id = client.zk.getSessionId();
        client.zk.create("/mine", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        other.zk.create("/w", "0".getBytes(), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        client.zk.getData("/w", client.watcher(), null);
        other.zk.setData("/w", "1".getBytes(), -1);
        same("NodeDataChanged /w", client.event());

        client.zk.getData("/w", client.watcher(), null);
        client.zk.getChildren("/w", client.watcher());
        client.zk.exists("/new", client.watcher());
        client.zk.addWatch("/below", client.watcher(), AddWatchMode.PERSISTENT_RECURSIVE);
        say("!close");
        client.await(KeeperState.Disconnected);
        other.zk.setData("/w", "2".getBytes(), -1);
        other.zk.create("/w/c", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        say("!open");
        client.await(KeeperState.SyncConnected);
        same(id, client.zk.getSessionId());
        same("NodeDataChanged /w", client.event());
        same("NodeChildrenChanged /w", client.event());
        other.zk.create("/new", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        same("NodeCreated /new", client.event());
        other.zk.create("/below", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        same("NodeCreated /below", client.event());
        same(id, other.zk.exists("/mine", other.watcher()).getEphemeralOwner());

        say("!close");
        same("NodeDeleted /mine", other.event());
        say("!open");
        client.await(KeeperState.Expired);
        try {
            client.zk.exists("/w", false);
            check(false, "an expired session answers");
        } catch (KeeperException.SessionExpiredException e) {
            other.zk.close();
        }
    }

    public static void main(String[] args) throws Exception {
        operations(new Client(args[1]).zk);
        session(args[0], args[1]);
        say("ok");
        System.exit(0);
    }
}
