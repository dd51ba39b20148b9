//! Who may do what to a znode.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::DecodeError;
use crate::jute::{Encoded, Put, Reader};

/// Permission bits. Unknown bits are kept, as Apache keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Perms(pub i32);

impl Perms {
    /// Read data, children, ACL.
    pub const READ: Perms = Perms(1);
    /// Set data.
    pub const WRITE: Perms = Perms(2);
    /// Create children.
    pub const CREATE: Perms = Perms(4);
    /// Delete children.
    pub const DELETE: Perms = Perms(8);
    /// Set the ACL.
    pub const ADMIN: Perms = Perms(16);
    /// All five.
    pub const ALL: Perms = Perms(31);

    /// True if every bit of `other` is set.
    pub const fn contains(self, other: Perms) -> bool {
        self.0 & other.0 == other.0
    }

    /// True if any bit of `other` is set.
    pub const fn intersects(self, other: Perms) -> bool {
        self.0 & other.0 != 0
    }
}

/// An identity: scheme (`world`, `digest`, `ip` ...) and name within it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// Authentication scheme.
    pub scheme: String,
    /// Name, as the scheme spells it.
    pub id: String,
}

impl Id {
    /// Builds an identity.
    pub fn new(scheme: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            scheme: scheme.into(),
            id: id.into(),
        }
    }

    /// `scheme:ustring, id:ustring`
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let scheme = reader.string("scheme")?.into_owned();
        Ok(Self {
            scheme,
            id: reader.string("id")?.into_owned(),
        })
    }

    /// Appends the record.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_string(&self.scheme);
        out.put_string(&self.id);
    }
}

/// One grant: these permissions to that identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Acl {
    /// What is granted.
    pub perms: Perms,
    /// To whom.
    pub id: Id,
}

impl Acl {
    /// Builds a grant.
    pub fn new(perms: Perms, scheme: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            perms,
            id: Id::new(scheme, id),
        }
    }

    /// Everything to everyone.
    pub fn open() -> Self {
        Self::new(Perms::ALL, "world", "anyone")
    }

    /// `perms:i32, id:Id`
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            perms: Perms(reader.int()?),
            id: Id::read(reader)?,
        })
    }

    /// Appends the record.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_int(self.perms.0);
        self.id.write(out);
    }

    /// Reads a vector; `None` is the null vector.
    pub fn read_vector(reader: &mut Reader<'_>) -> Result<Option<Vec<Self>>, DecodeError> {
        let Some(count) = reader.count()? else {
            return Ok(None);
        };
        let mut acls = Vec::new();
        for _ in 0..count {
            acls.push(Self::read(reader)?);
        }
        Ok(Some(acls))
    }

    /// Appends a vector.
    pub fn write_vector(acls: &[Self], out: &mut Vec<u8>) {
        out.put_count(acls.len());
        for acl in acls {
            acl.write(out);
        }
    }
}

/// A request's ACL vector, still encoded.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Acls<'a>(Encoded<'a>);

impl<'a> Acls<'a> {
    /// Reads a vector; `None` is the null vector, which a top-level create answers otherwise than an empty one in a multi.
    pub fn read(reader: &mut Reader<'a>) -> Result<Option<Self>, DecodeError> {
        let encoded = Encoded::read(reader, |reader| {
            reader.int()?;
            // spec: CP-ACL-10. A null scheme decodes: no scheme has that name, so the list is invalid.
            reader.string_or_null()?;
            reader.string("id").map(drop)
        })?;
        Ok(encoded.map(Self))
    }

    /// Appends count and elements; `None` is null.
    pub fn write(acls: &Option<Self>, out: &mut Vec<u8>) {
        match acls {
            None => out.put_int(-1),
            Some(acls) => acls.0.write(out),
        }
    }

    /// Number of grants.
    pub fn len(&self) -> usize {
        self.0.count as usize
    }

    /// True without grants.
    pub fn is_empty(&self) -> bool {
        self.0.count == 0
    }

    /// The grants in order: permissions, scheme, id.
    pub fn iter(&self) -> impl Iterator<Item = (Perms, Cow<'_, str>, Cow<'_, str>)> {
        let mut reader = self.0.reader();
        (0..self.0.count).map_while(move |_| {
            let perms = Perms(reader.int().ok()?);
            Some((
                perms,
                reader.string_or_null().ok()?.unwrap_or_default(),
                reader.string("id").ok()?,
            ))
        })
    }

    /// The grants as owned records.
    pub fn to_vec(&self) -> Vec<Acl> {
        self.iter()
            .map(|(perms, scheme, id)| Acl::new(perms, scheme, id))
            .collect()
    }

    /// The elements as they came, without the count: the key of an intern table.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl<'b> FromIterator<&'b Acl> for Acls<'static> {
    fn from_iter<I: IntoIterator<Item = &'b Acl>>(items: I) -> Self {
        let (mut bytes, mut count) = (Vec::new(), 0u32);
        for acl in items {
            acl.write(&mut bytes);
            count = count.saturating_add(1);
        }
        Self(Encoded {
            count,
            bytes: Cow::Owned(bytes),
        })
    }
}
