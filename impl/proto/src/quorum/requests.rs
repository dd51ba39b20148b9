//! A client's write on its way from a learner to the leader.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::acl::Id;
use crate::error::DecodeError;
use crate::jute::{Put, Reader};

/// The data of a REQUEST packet, and its identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedRequest {
    /// The session.
    pub session_id: i64,
    /// The client's number for it; 0 for the opening of a session.
    pub cxid: i32,
    /// The op code, not yet known to be one.
    pub op: i32,
    /// The request's body as the client sent it.
    pub body: Bytes,
    /// Who asks. The leader trusts it. `None` where the learner's server asks itself. spec: QP-BC-02
    pub auth: Option<Vec<Id>>,
}

impl ForwardedRequest {
    pub(super) fn read(
        reader: &mut Reader<'_>,
        auth: Option<Vec<Id>>,
        share: impl Fn(&[u8]) -> Bytes,
    ) -> Result<Self, DecodeError> {
        let (session_id, cxid, op) = (reader.long()?, reader.int()?, reader.int()?);
        Ok(Self {
            session_id,
            cxid,
            op,
            body: share(reader.rest()),
            auth,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.put_long(self.session_id);
        out.put_int(self.cxid);
        out.put_int(self.op);
        out.put_raw(&self.body);
    }
}
