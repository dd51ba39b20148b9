//! How Java writes numbers, dates and addresses.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// A double as Java prints it: at least one decimal, and an exponent outside 0.001 to 10^7.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Double(pub f64);

impl fmt::Display for Double {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.abs();
        if self.0 == 0.0 || (1e-3..1e7).contains(&size) {
            return write!(f, "{:?}", self.0);
        }
        let text = format!("{:e}", self.0);
        match text.split_once('e') {
            Some((digits, exponent)) if digits.contains('.') => write!(f, "{digits}E{exponent}"),
            Some((digits, exponent)) => write!(f, "{digits}.0E{exponent}"),
            None => f.write_str(&text),
        }
    }
}

/// An average with four decimals, half up, as `srvr` shows it.
// spec: CP-FLW-11
#[must_use]
pub fn average(value: f64) -> Double {
    Double((value * 1e4 + 0.5).floor() / 1e4)
}

/// `/a.b.c.d:port`; IPv6 as eight groups in brackets.
// spec: CP-FLW-13
pub struct Peer(pub SocketAddr);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.ip() {
            IpAddr::V4(ip) => write!(f, "/{ip}:{}", self.0.port()),
            IpAddr::V6(ip) => {
                let groups = ip.segments().map(|group| format!("{group:x}"));
                write!(f, "/[{}]:{}", groups.join(":"), self.0.port())
            }
        }
    }
}

/// A moment in Java's `EEE MMM dd HH:mm:ss zzz yyyy` form, in UTC.
// spec: CP-FLW-17
pub struct Date(pub i64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let seconds = self.0.div_euclid(1000);
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let name = |names: &[&'static str], index: i64| {
            let index = usize::try_from(index).unwrap_or_default();
            names.get(index).copied().unwrap_or_default()
        };
        let (hour, minute) = (second / 3600, second / 60 % 60);
        write!(
            f,
            "{} {} {day:02} {hour:02}:{minute:02}:{:02} UTC {year}",
            name(&DAYS, days.rem_euclid(7)),
            name(&MONTHS, month - 1),
            second % 60,
        )
    }
}

/// Year, month and day of a day counted from 1970-01-01.
///
/// Counts in years that begin in March, so that a leap day is a year's last.
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    let from_march_0000 = days + 719_468;
    let era = from_march_0000.div_euclid(DAYS_OF_400_YEARS);
    let day = from_march_0000.rem_euclid(DAYS_OF_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: CP-FLW-11
    #[test]
    fn doubles_look_like_javas() {
        for (value, expected) in [
            (0.0, "0.0"),
            (1.25, "1.25"),
            (9.1486, "9.1486"),
            (100.0, "100.0"),
            (0.001, "0.001"),
            (0.0005, "5.0E-4"),
            (0.00012, "1.2E-4"),
            (12_345_678.0, "1.2345678E7"),
            (1e7, "1.0E7"),
        ] {
            assert_eq!(Double(value).to_string(), expected);
        }
        assert_eq!(average(2.0 / 3.0).to_string(), "0.6667");
        assert_eq!(average(0.00005).to_string(), "1.0E-4");
    }

    // spec: CP-FLW-17
    #[test]
    fn dates_look_like_javas() {
        for (ms, expected) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (1_795_602_202_000, "Wed Nov 25 10:23:22 UTC 2026"),
            (951_827_696_789, "Tue Feb 29 12:34:56 UTC 2000"),
            (4_107_542_400_000, "Mon Mar 01 00:00:00 UTC 2100"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
        ] {
            assert_eq!(Date(ms).to_string(), expected, "{ms}");
        }
    }

    // spec: CP-FLW-13
    #[test]
    fn peers_have_a_slash_in_front() {
        let peer = |text: &str| Peer(text.parse().unwrap()).to_string();
        assert_eq!(peer("127.0.0.1:2181"), "/127.0.0.1:2181");
        assert_eq!(peer("[::1]:80"), "/[0:0:0:0:0:0:0:1]:80");
    }
}
