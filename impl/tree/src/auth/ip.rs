//! The `ip` scheme: the address that a connection comes from.

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use zk_proto::Id;

use super::{IP, Scheme};
use crate::mutant::Mutant;

pub(super) struct Ip;

impl Scheme for Ip {
    fn name(&self) -> &str {
        IP
    }

    // spec: CP-ACL-22
    fn is_valid(&self, id: &str) -> bool {
        let refused = Mutant::NetworksRefused.acts() && id.contains('/')
            || Mutant::Ip6Refused.acts() && id.contains(':');
        Net::parse(id).is_some() && !refused
    }

    // spec: CP-ACL-22. The caller's address may name a zone, which no ACL can.
    fn matches(&self, caller: &str, granted: &str) -> bool {
        let (Some(caller), Some(net)) = (address(caller), Net::parse(granted)) else {
            return false;
        };
        net.holds(&caller)
    }

    fn is_authenticating(&self) -> bool {
        false
    }

    // spec: CP-AUTH-07. Every connection has its address from the start.
    fn authenticate(&self, _credential: Option<&[u8]>) -> Option<Vec<Id>> {
        if Mutant::IpProvesNothing.acts() {
            return None;
        }
        Some(Vec::new())
    }
}

/// An address with the number of leading bits that count.
struct Net {
    address: Vec<u8>,
    bits: usize,
}

impl Net {
    fn parse(text: &str) -> Option<Self> {
        let (start, bits) = text
            .split_once('/')
            .map_or((text, None), |(start, bits)| (start, Some(bits)));
        let address = address(start)?;
        let all = address.len() * 8;
        let bits = bits.map_or(Some(all), |bits| {
            bits.parse().ok().filter(|bits| *bits <= all)
        })?;
        Some(Self { address, bits })
    }

    fn holds(&self, other: &[u8]) -> bool {
        self.address.len() == other.len()
            && self
                .address
                .iter()
                .zip(other)
                .enumerate()
                .all(|(index, (mine, theirs))| {
                    let counted = if Mutant::NetworkBitsIgnored.acts() {
                        8
                    } else {
                        self.bits.saturating_sub(index * 8).min(8)
                    };
                    let mask = 0xff_u8.checked_shl(8 - counted as u32).unwrap_or(0);
                    mine & mask == theirs & mask
                })
    }
}

/// Four or sixteen bytes; no IPv4 inside IPv6 and no zone.
fn address(text: &str) -> Option<Vec<u8>> {
    if text.contains(':') {
        let address: Ipv6Addr = (!text.contains('.')).then(|| text.parse().ok()).flatten()?;
        return Some(address.octets().to_vec());
    }
    let bytes: Option<Vec<u8>> = text.split('.').map(|part| part.parse().ok()).collect();
    bytes.filter(|bytes| bytes.len() == 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: CP-ACL-22
    #[test]
    fn shapes() {
        for good in [
            "127.0.0.1",
            "10.0.0.0/8",
            "1.2.3.4/0",
            "1.2.3.4/32",
            "::1",
            "fe80::/10",
            "1:2:3:4:5:6:7:8/128",
        ] {
            assert!(Ip.is_valid(good), "{good}");
        }
        for bad in [
            "",
            "1.2.3",
            "1.2.3.4.5",
            "256.1.1.1",
            "1.2.3.4/33",
            "1.2.3.4/-1",
            "1.2.3.4/",
            "::1/129",
            "::1%lo",
            "::ffff:1.2.3.4",
            "1:2:3",
        ] {
            assert!(!Ip.is_valid(bad), "{bad}");
        }
    }

    // spec: CP-ACL-22, CP-AUTH-01
    #[test]
    fn nets() {
        for (caller, granted, holds) in [
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.4", "10.1.2.3", false),
            ("10.9.9.9", "10.0.0.0/8", true),
            ("11.9.9.9", "10.0.0.0/8", false),
            ("10.1.2.3", "10.1.2.0/23", true),
            ("99.1.2.3", "10.1.2.0/0", true),
            ("0:0:0:0:0:0:0:1", "::1", true),
            ("fe80:0:0:0:0:0:0:1", "fe80::/10", true),
            ("fe80:0:0:0:0:0:0:1%eth0", "fe80::/10", false),
            ("0:0:0:0:0:0:0:1", "0.0.0.0/0", false),
        ] {
            assert_eq!(Ip.matches(caller, granted), holds, "{caller} {granted}");
        }
    }
}
