//! Values of record fields, their wire form and their text form.

use std::fmt;

use super::jute::{In, JuteError, Out};

/// The wire type of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int,
    Long,
    Str,
    Buf,
    Strs,
    Acls,
    /// `vector<ClientInfo>`, shown as `scheme:user` strings.
    Infos,
}

/// One ACL entry; scheme and id are text or null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    pub perms: i32,
    pub scheme: Option<String>,
    pub id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Acl(Acl),
}

impl Value {
    /// The bytes of a string or buffer; `None` is null.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Text(text) => Some(text.as_bytes()),
            Value::Bytes(bytes) => Some(bytes),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::List(_) | Value::Acl(_) => None,
        }
    }

    pub fn int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            Value::Bool(flag) => Some(i64::from(*flag)),
            _ => None,
        }
    }

    /// Same value; text equals a buffer of the same bytes.
    pub fn same(&self, other: &Value) -> bool {
        match (self.bytes(), other.bytes()) {
            (Some(left), Some(right)) => left == right,
            _ => match (self, other) {
                (Value::List(left), Value::List(right)) => {
                    left.len() == right.len() && left.iter().zip(right).all(|(l, r)| l.same(r))
                }
                _ => self == other,
            },
        }
    }

    /// Writes the value as a field of type `kind`. Integers are cut to the
    /// field's width, because scripts also send values that do not fit.
    pub fn encode(&self, kind: Kind, out: &mut Out) {
        match kind {
            Kind::Bool => out.0.push(self.int().unwrap_or_default() as u8),
            Kind::Int => out.int(self.int().unwrap_or_default() as i32),
            Kind::Long => out.long(self.int().unwrap_or_default()),
            Kind::Str | Kind::Buf => out.bytes(self.bytes()),
            Kind::Strs | Kind::Infos => encode_list(self, out, |item, out| out.bytes(item.bytes())),
            Kind::Acls => encode_list(self, out, |item, out| {
                let Value::Acl(acl) = item else { return };
                out.int(acl.perms);
                out.bytes(acl.scheme.as_ref().map(String::as_bytes));
                out.bytes(acl.id.as_ref().map(String::as_bytes));
            }),
        }
    }

    pub fn decode(kind: Kind, from: &mut In<'_>) -> Result<Value, JuteError> {
        Ok(match kind {
            Kind::Bool => Value::Bool(from.bool()?),
            Kind::Int => Value::Int(i64::from(from.int()?)),
            Kind::Long => Value::Int(from.long()?),
            Kind::Str => text(from.bytes()?),
            Kind::Buf => from
                .bytes()?
                .map_or(Value::Null, |bytes| Value::Bytes(bytes.to_vec())),
            Kind::Strs => decode_list(from, |from| Ok(text(from.bytes()?)))?,
            Kind::Infos => decode_list(from, |from| {
                let (scheme, user) = (text(from.bytes()?), text(from.bytes()?));
                Ok(Value::Text(format!("{}:{}", bare(&scheme), bare(&user))))
            })?,
            Kind::Acls => decode_list(from, |from| {
                let perms = from.int()?;
                let (scheme, id) = (from.bytes()?.map(lossy), from.bytes()?.map(lossy));
                Ok(Value::Acl(Acl { perms, scheme, id }))
            })?,
        })
    }
}

fn encode_list(value: &Value, out: &mut Out, each: impl Fn(&Value, &mut Out)) {
    match value {
        Value::List(items) => {
            out.int(i32::try_from(items.len()).unwrap_or(i32::MAX));
            items.iter().for_each(|item| each(item, out));
        }
        _ => out.int(-1),
    }
}

fn decode_list(
    from: &mut In<'_>,
    each: impl Fn(&mut In<'_>) -> Result<Value, JuteError>,
) -> Result<Value, JuteError> {
    let count = from.int()?;
    if count == -1 {
        return Ok(Value::Null);
    }
    let mut items = Vec::new();
    for _ in 0..count.max(0) {
        items.push(each(from)?);
    }
    Ok(Value::List(items))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn text(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, |bytes| Value::Text(lossy(bytes)))
}

fn bare(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => other.to_string(),
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(flag) => write!(f, "{flag}"),
            Value::Int(number) if *number > 0xffff_ffff => write!(f, "{number:#x}"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Bytes(bytes) => bytes_text(bytes, f),
            Value::Acl(acl) => write!(
                f,
                "{}@{}:{}",
                acl.perms,
                acl.scheme.as_deref().unwrap_or("null"),
                acl.id.as_deref().unwrap_or("null")
            ),
            Value::List(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    let comma = if at > 0 { "," } else { "" };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
        }
    }
}

/// Printable bytes as text, others as hex; long values are cut.
fn bytes_text(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const SHOWN: usize = 64;
    let head = bytes.get(..SHOWN).unwrap_or(bytes);
    let printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ' || *byte == b'\n';
    if head.iter().all(printable) {
        write!(f, "{:?}", lossy(head))?;
    } else {
        f.write_str("hex:")?;
        head.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
    }
    if bytes.len() > SHOWN {
        write!(f, "...({} bytes)", bytes.len())?;
    }
    Ok(())
}
