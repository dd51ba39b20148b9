//! The tree digest against values that Apache ZooKeeper computed.

use zk_proto::acl::Acls;
use zk_proto::{Acl, CreateMode, Request, TxnHeader, request};
use zk_tree::{Ask, Prep, Schemes, Settings, Tree};

// spec: DF-DIG-06, DF-LOG-02, QP-TXN-10
#[test]
fn digests_before_and_after_a_create() {
    let mut tree = Tree::new(Settings::default());
    assert_eq!(tree.digest(), 1_371_985_504);
    let acl = [Acl::open()];
    let create = request::Create {
        path: "/a".into(),
        data: Some(b"x"),
        acl: Some(acl.iter().collect::<Acls<'_>>()),
        flags: CreateMode::Persistent.flags(),
    };
    let header = TxnHeader {
        session_id: 1,
        cxid: 1,
        zxid: 0x1_0000_0002,
        time: 1_700_000_000_000,
    };
    let ask = Ask {
        header,
        ids: &[],
        session: Ok(()),
        global_session: Ok(()),
    };
    let mut prep = Prep::new();
    let record = prep.prepare(&tree, &Schemes::default(), &ask, &Request::Create(create));
    assert_eq!(record.digest.map(|digest| digest.tree), Some(5_860_043_862));
    let mut triggers = Vec::new();
    tree.apply(&record.header, &record.txn, &mut triggers)
        .unwrap();
    assert_eq!(tree.digest(), 5_860_043_862);
    assert_eq!(triggers.len(), 1);
}
