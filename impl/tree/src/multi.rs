//! What the answer to a multi shows and its txn does not tell.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use zk_proto::multi::Ops;
use zk_proto::{CreateMode, MultiOp, MultiResult, Response};

use crate::mutant::Mutant;

/// Which ops of a multi are creates that are answered with the path alone.
///
/// A create2 is logged as a create there, so [`crate::Tree::apply`] answers both with the stat, and whoever still has
/// the request takes it away again.
// spec: CP-MUL-05, QP-TXN-05
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathOnly(Vec<u32>);

impl PathOnly {
    /// Of a multi's ops.
    pub fn of(ops: &Ops<'_>) -> Self {
        let answered = (0..).zip(ops.iter());
        Self(
            answered
                .filter(|(_, op)| is_path_only(op))
                .map(|(index, _)| index)
                .collect(),
        )
    }

    /// Takes the stats out of the answer.
    pub fn narrow(&self, response: &mut Response<'_>) {
        if Mutant::MultiCreateWithStat.acts() {
            return;
        }
        let Response::Multi(Cow::Owned(results)) = response else {
            return;
        };
        for index in &self.0 {
            if let Some(result) = results.get_mut(*index as usize)
                && let MultiResult::Create2 { path, .. } = result
            {
                *result = MultiResult::Create {
                    path: core::mem::take(path),
                };
            }
        }
    }
}

// spec: CP-MUL-06
fn is_path_only(op: &MultiOp<'_>) -> bool {
    match op {
        MultiOp::Create(body) | MultiOp::CreateTtl(body, _) => {
            let mode = CreateMode::from_flags(body.flags);
            !mode.is_some_and(|mode| mode.is_container() || mode.is_ttl())
        }
        MultiOp::Create2(_) if Mutant::MultiCreate2WithoutStat.acts() => true,
        MultiOp::Create2(_)
        | MultiOp::CreateContainer(_)
        | MultiOp::Delete(_)
        | MultiOp::SetData(_)
        | MultiOp::Check(_)
        | MultiOp::GetChildren(_)
        | MultiOp::GetData(_) => false,
    }
}
