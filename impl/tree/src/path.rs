//! Paths: which are valid, and their parts.

use crate::mutant::Mutant;

/// The root as the digest and snapshots spell it.
pub(crate) const ROOT: &str = "";
/// Where the server keeps its own znodes.
pub const ZOOKEEPER: &str = "/zookeeper";
/// Below it, quotas mirror the tree.
pub const QUOTA: &str = "/zookeeper/quota";
/// The ensemble's configuration.
pub const CONFIG: &str = "/zookeeper/config";

/// True for a path that a znode may have.
// spec: CP-PATH-01, CP-PATH-02, CP-PATH-03, CP-PATH-04, CP-PATH-05, CP-PATH-06, CP-PATH-07. What lies above U+FFFF is two surrogates to Apache, and surrogates are refused.
pub fn is_valid(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    rest.is_empty() || (rest.split('/').all(is_valid_name) && !rest.chars().any(is_forbidden))
}

// spec: CP-PATH-02, CP-PATH-03
fn is_valid_name(name: &str) -> bool {
    if Mutant::DotsAreNames.acts() {
        return !name.is_empty();
    }
    if Mutant::DotsRefused.acts() && name.contains('.')
        || Mutant::LongNamesRefused.acts() && name.len() > 255
    {
        return false;
    }
    !matches!(name, "" | "." | "..")
}

// spec: CP-PATH-04, CP-PATH-05
fn is_forbidden(c: char) -> bool {
    if Mutant::ControlCharactersInPaths.acts() {
        return c == '\0';
    }
    if Mutant::NamesAreAscii.acts() && !c.is_ascii()
        || Mutant::BlanksRefused.acts() && c == ' '
        || Mutant::NeighboursOfControlsRefused.acts() && matches!(c, '\u{7e}' | '\u{a0}')
    {
        return true;
    }
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..)
}

/// Parent and name: `/a/b` is `("/a", "b")`, `/a` is `("", "a")`. `None` without a slash.
pub fn split(path: &str) -> Option<(&str, &str)> {
    path.rsplit_once('/')
}

/// The two spellings of the root made one.
pub(crate) fn canonical(path: &str) -> &str {
    if path == "/" { ROOT } else { path }
}

/// The parent as events name it.
pub fn parent_shown(path: &str) -> &str {
    match split(path) {
        None | Some((ROOT, _)) => "/",
        Some((parent, _)) => parent,
    }
}

/// True for the four znodes that every tree has.
// spec: CP-TREE-04
pub(crate) fn is_reserved(path: &str) -> bool {
    matches!(path, "/" | ZOOKEEPER | QUOTA | CONFIG)
}

/// Length in UTF-16 units, which is how Apache measures paths.
// spec: CP-TREE-05
pub(crate) fn utf16_len(path: &str) -> usize {
    if path.is_ascii() {
        path.len()
    } else {
        path.encode_utf16().count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: CP-PATH-01, CP-PATH-02, CP-PATH-03, CP-PATH-04, CP-PATH-05, CP-PATH-06
    #[test]
    fn validity() {
        for good in [
            "/",
            "/a",
            "/a/b",
            "/...",
            "/.a",
            "/a.",
            "/a b",
            "/\u{d7ff}",
            "/\u{f900}",
            "/\u{ffef}",
            "/zookeeper",
        ] {
            assert!(is_valid(good), "{good:?}");
        }
        for bad in [
            "",
            "a",
            "/a/",
            "//",
            "//a",
            "/a//b",
            "/.",
            "/..",
            "/a/./b",
            "/a/..",
            "/\0",
            "/\u{1}",
            "/a\u{1f}",
            "/\u{7f}",
            "/\u{9f}",
            "/\u{e000}",
            "/\u{f8ff}",
            "/\u{fff0}",
            "/\u{ffff}",
            "/\u{fffd}",
            "/\u{10000}",
        ] {
            assert!(!is_valid(bad), "{bad:?}");
        }
    }

    #[test]
    fn parts() {
        assert_eq!(split("/a/b"), Some(("/a", "b")));
        assert_eq!(split("/a"), Some(("", "a")));
        assert_eq!(split("/"), Some(("", "")));
        assert_eq!(split("a"), None);
        assert_eq!(parent_shown("/a/b"), "/a");
        assert_eq!(parent_shown("/a"), "/");
    }
}
