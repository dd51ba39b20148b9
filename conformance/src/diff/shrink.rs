//! Makes a failing sequence short: drops ever smaller pieces while it still fails.

/// Tries at most this often; each try runs the sequence on both servers.
const TRIES: usize = 400;

/// The shortest sequence found for which `fails` holds. `fails(&lines)` must hold.
pub fn shrink(mut lines: Vec<String>, fails: impl Fn(&[String]) -> bool) -> Vec<String> {
    let mut tries = 0;
    let mut piece = lines.len() / 2;
    while piece > 0 && tries < TRIES {
        let mut start = 0;
        let mut dropped = false;
        while start < lines.len() && tries < TRIES {
            let end = (start + piece).min(lines.len());
            let mut shorter = lines.clone();
            shorter.drain(start..end);
            tries += 1;
            if !shorter.is_empty() && fails(&shorter) {
                lines = shorter;
                dropped = true;
            } else {
                start = end;
            }
        }
        if !dropped || piece > 1 {
            piece /= 2;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_stays() {
        let lines: Vec<String> = (0..50).map(|number| number.to_string()).collect();
        let has = |lines: &[String], wanted: &str| lines.iter().any(|line| line == wanted);
        let short = shrink(lines, |lines| has(lines, "7") && has(lines, "31"));
        assert_eq!(short, ["7", "31"]);
    }
}
