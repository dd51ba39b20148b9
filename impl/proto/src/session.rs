//! Session ids and passwords.

/// A session's password, as the handshake carries it.
pub type Password = [u8; 16];

/// The password of a session: a function of the id alone, so that a client may move to any server.
// spec: CP-CON-14. Apache seeds Java's generator with the id and a constant. Anybody can compute it.
pub fn password(session_id: i64) -> Password {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = (session_id.cast_unsigned() ^ 0xB341_5C00 ^ MULTIPLIER) & MASK;
    let mut password = [0; 16];
    for chunk in password.chunks_exact_mut(4) {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        chunk.copy_from_slice(&((state >> 16) as u32).to_le_bytes());
    }
    password
}

/// The first session id that a server hands out: its id in the top byte, then 40 bits of its clock, then 16 zero bits.
/// `clock_ms` is wall time, so that ids do not come again after a reboot.
// spec: CP-CON-12, QP-BC-02
pub fn first_id(server_id: u8, clock_ms: u64) -> i64 {
    let clock = clock_ms.wrapping_shl(24) >> 8;
    let id = (clock | u64::from(server_id).wrapping_shl(56)).cast_signed();
    // That one value marks containers.
    if id == i64::MIN {
        id.wrapping_add(1)
    } else {
        id
    }
}

/// The server that created a session, by the id's top byte.
// spec: CP-CON-13
pub fn created_by(session_id: i64) -> i64 {
    session_id >> 56
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> alloc::string::String {
        bytes
            .iter()
            .map(|byte| alloc::format!("{byte:02x}"))
            .collect()
    }

    // spec: CP-CON-14, QP-BC-02
    #[test]
    fn passwords_are_those_of_apache() {
        for (id, expected) in [
            (0x1, "054cc74a37327db215e702e20c73f005"),
            (0x0100_0000_0000_0000, "f22acd4a97e69d6d20a49bb638eadb38"),
            (0x0100_0a2b_3c4d_0000, "a92640f4827d6da02f083ac59bfe0500"),
            (0x0100_0012_3456_789a, "0f6fc61aae1ab7823aad7dad4a2ecd8e"),
            (0x0200_0012_3456_789a, "0f6fc61aae1ab7823aad7dad4a2ecd8e"),
            (0x0200_0017_ef8e_0000, "30e58841fde6079a8e7321ae0e109a72"),
        ] {
            assert_eq!(hex(&password(id)), expected, "{id:#x}");
        }
    }

    // spec: CP-CON-12, CP-CON-13
    #[test]
    fn ids_hold_server_and_clock() {
        let id = first_id(1, 0x01_8bcf_e568_00ff);
        assert_eq!(
            id,
            0x01cf_e568_00ff_0000 & 0x00ff_ffff_ffff_0000 | 0x0100_0000_0000_0000
        );
        assert_eq!(created_by(id), 1);
        assert_eq!(created_by(first_id(200, 5)), -56);
        assert_eq!(first_id(0x80, 0), i64::MIN + 1);
    }
}
