//! The part of the tree that a client takes for the whole.

use std::borrow::Cow;

use crate::error::Error;

/// Empty, or a path that begins with a slash and does not end with one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chroot(String);

impl Chroot {
    pub(crate) fn new(path: &str) -> Result<Self, Error> {
        if path.is_empty() || path == "/" {
            return Ok(Self::default());
        }
        let well_formed = path.starts_with('/') && !path.ends_with('/') && !path.contains("//");
        if !well_formed {
            return Err(Error::BadArgument(format!("{path:?} is no chroot")));
        }
        Ok(Self(path.to_owned()))
    }

    /// A caller's path as the server knows it.
    pub(crate) fn out<'a>(&self, path: &'a str) -> Result<Cow<'a, str>, Error> {
        if !path.starts_with('/') {
            return Err(Error::BadArgument(format!(
                "path {path:?} does not begin with a slash"
            )));
        }
        Ok(match (self.0.as_str(), path) {
            ("", _) => Cow::Borrowed(path),
            (root, "/") => Cow::Owned(root.to_owned()),
            (root, path) => Cow::Owned(format!("{root}{path}")),
        })
    }

    /// A server's path as the caller knows it; a path outside stays as it is.
    // spec: CP-WAT-30. Events carry the whole path; the chroot is the client's affair.
    pub(crate) fn back(&self, path: &str) -> String {
        match path.strip_prefix(self.0.as_str()) {
            Some("") => "/".to_owned(),
            Some(rest) if rest.starts_with('/') => rest.to_owned(),
            Some(_) | None => path.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_out_and_come_back() {
        let chroot = Chroot::new("/app").unwrap();
        for (inside, outside) in [("/", "/app"), ("/a", "/app/a"), ("/a/b", "/app/a/b")] {
            assert_eq!(chroot.out(inside).unwrap(), outside);
            assert_eq!(chroot.back(outside), inside);
        }
        assert_eq!(chroot.back("/apple"), "/apple");
        assert!(chroot.out("a").is_err());
        assert_eq!(Chroot::default().out("/a").unwrap(), "/a");
        assert_eq!(Chroot::default().back("/a"), "/a");
    }
}
