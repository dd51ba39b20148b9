//! Whether a password is that of a session.

use zk_proto::session::password;

/// Compares in time that does not depend on where the two differ.
// spec: CP-CON-21, FT-CON-14
#[must_use]
pub fn matches(session: i64, given: &[u8]) -> bool {
    let expected = password(session);
    if session == 0 || given.len() != expected.len() {
        return false;
    }
    expected
        .iter()
        .zip(given)
        .fold(0, |diff, (a, b)| diff | (a ^ b))
        == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_password_matches() {
        // spec: CP-CON-21
        let right = password(7);
        assert!(matches(7, &right));
        assert!(!matches(7, &right[..15]));
        assert!(!matches(7, &[]));
        assert!(!matches(0, &password(0)));
        for i in 0..16 {
            let mut wrong = right;
            wrong[i] ^= 1;
            assert!(!matches(7, &wrong));
        }
    }
}
