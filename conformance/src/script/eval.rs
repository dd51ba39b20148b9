//! Values of words: literals, paths under the case's root, variables.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use super::parse::from_hex;
use super::token::{Compare, Token};
use crate::wire::value::{Acl, Kind, Value};

/// What a case knows while it runs.
#[derive(Debug, Default, Clone)]
pub struct Vars {
    /// Full path of the case's own znode, what `~` stands for.
    pub root: String,
    pub values: BTreeMap<String, Value>,
}

impl Vars {
    /// The value of `token` as a field of type `kind`.
    pub fn value(&self, kind: Kind, token: &Token) -> Result<Value, String> {
        if token.raw == "null" {
            return Ok(Value::Null);
        }
        match kind {
            Kind::Bool | Kind::Int | Kind::Long => Ok(Value::Int(self.number(&token.raw)?)),
            Kind::Str => self.text(token),
            Kind::Buf => self.buffer(token),
            Kind::Strs | Kind::Infos => self.list(&token.raw, |item| self.text(&Token::new(item))),
            Kind::Acls => self.list(&token.raw, |item| self.acl(item)),
        }
    }

    /// Does `found` satisfy `compare token`? `?name` binds, `*` takes anything.
    pub fn check(
        &mut self,
        kind: Kind,
        found: &Value,
        compare: Compare,
        token: &Token,
    ) -> Result<bool, String> {
        if token.raw == "*" {
            return Ok(true);
        }
        if let Some(name) = token.raw.strip_prefix('?') {
            self.values.insert(name.to_owned(), found.clone());
            return Ok(true);
        }
        if let Some((low, high)) = token.raw.split_once("..")
            && matches!(kind, Kind::Int | Kind::Long)
        {
            let number = found.int().unwrap_or_default();
            return Ok((self.number(low)?..=self.number(high)?).contains(&number));
        }
        if token.raw.starts_with('{') {
            return self.same_set(kind, found, token);
        }
        let wanted = self.value(kind, token)?;
        Ok(match compare {
            Compare::Equal => {
                found.same(&wanted) || ints(found, &wanted).is_some_and(|(l, r)| l == r)
            }
            Compare::NotEqual => !(found.same(&wanted)),
            _ => ints(found, &wanted).is_some_and(|(left, right)| compare.holds(left, right)),
        })
    }

    /// Shows `token` with its variables filled in, for messages.
    pub fn show(&self, kind: Kind, token: &Token) -> String {
        let plain = token.raw.starts_with(['*', '?', '{']) || token.raw.contains("..");
        match self.value(kind, token) {
            Ok(value) if !plain => value.to_string(),
            _ => token.raw.clone(),
        }
    }

    pub fn text(&self, token: &Token) -> Result<Value, String> {
        if token.raw == "null" {
            return Ok(Value::Null);
        }
        if let Some(variable) = token.raw.strip_prefix('$') {
            return self.variable_text(variable);
        }
        let text = token.text()?;
        Ok(Value::Text(match text.strip_prefix('~') {
            Some(rest) => format!("{}{rest}", self.root),
            None => text,
        }))
    }

    fn buffer(&self, token: &Token) -> Result<Value, String> {
        if let Some(digits) = token.raw.strip_prefix("hex:") {
            let bytes = from_hex(digits).ok_or_else(|| format!("not hex: {digits}"))?;
            return Ok(Value::Bytes(bytes));
        }
        if let Some(count) = token.raw.strip_prefix("fill:") {
            let count = count.parse().map_err(|_| format!("not a count: {count}"))?;
            return Ok(Value::Bytes(vec![b'x'; count]));
        }
        self.text(token)
    }

    fn variable_text(&self, raw: &str) -> Result<Value, String> {
        let (name, rest) = split_name(raw);
        match self.variable(name)? {
            Value::Text(text) => Ok(Value::Text(format!("{text}{rest}"))),
            other if rest.is_empty() => Ok(other),
            other => Err(format!("${name} is {other}, not text")),
        }
    }

    /// A number, a variable, or a variable plus or minus a number.
    pub fn number(&self, raw: &str) -> Result<i64, String> {
        let bad = || format!("not a number: {raw}");
        if let Some(variable) = raw.strip_prefix('$') {
            let (name, rest) = split_name(variable);
            let base = self.variable(name)?.int().ok_or_else(bad)?;
            let offset = match rest {
                "" => 0,
                _ => literal(rest).ok_or_else(bad)?,
            };
            return Ok(base.wrapping_add(offset));
        }
        match raw {
            "true" => Ok(1),
            "false" => Ok(0),
            _ => literal(raw).ok_or_else(bad),
        }
    }

    fn variable(&self, name: &str) -> Result<Value, String> {
        match name {
            "R" => Ok(Value::Text(self.root.clone())),
            "now" => Ok(Value::Int(wall_clock_ms())),
            _ => {
                let value = self.values.get(name).cloned();
                value.ok_or_else(|| format!("no variable ${name}"))
            }
        }
    }

    fn list(
        &self,
        raw: &str,
        each: impl Fn(&str) -> Result<Value, String>,
    ) -> Result<Value, String> {
        if raw.starts_with('$') {
            let (name, _) = split_name(raw.trim_start_matches('$'));
            return self.variable(name);
        }
        let inner = raw.strip_prefix(['[', '{']).unwrap_or(raw);
        let inner = inner.strip_suffix([']', '}']).unwrap_or(inner);
        let items = inner
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        Ok(Value::List(items.map(each).collect::<Result<_, _>>()?))
    }

    /// `PERMS@SCHEME:ID`; scheme and id may be `null` or a variable.
    fn acl(&self, raw: &str) -> Result<Value, String> {
        let (perms, who) = raw
            .split_once('@')
            .ok_or_else(|| format!("not an ACL: {raw}"))?;
        let (scheme, id) = who
            .split_once(':')
            .ok_or_else(|| format!("not an ACL: {raw}"))?;
        let part = |raw: &str| -> Result<Option<String>, String> {
            Ok(match self.text(&Token::new(raw))? {
                Value::Text(text) => Some(text),
                _ => None,
            })
        };
        Ok(Value::Acl(Acl {
            perms: self.number(perms)? as i32,
            scheme: part(scheme)?,
            id: part(id)?,
        }))
    }

    fn same_set(&self, kind: Kind, found: &Value, token: &Token) -> Result<bool, String> {
        let (Value::List(found), Value::List(wanted)) = (found, self.value(kind, token)?) else {
            return Ok(false);
        };
        let sorted = |items: &[Value]| {
            let mut texts: Vec<String> = items.iter().map(Value::to_string).collect();
            texts.sort();
            texts
        };
        Ok(sorted(found) == sorted(&wanted))
    }
}

fn ints(left: &Value, right: &Value) -> Option<(i64, i64)> {
    left.int().zip(right.int())
}

fn split_name(raw: &str) -> (&str, &str) {
    let end = raw
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_'))
        .unwrap_or(raw.len());
    raw.split_at_checked(end).unwrap_or((raw, ""))
}

fn literal(raw: &str) -> Option<i64> {
    let (sign, digits) = match raw.strip_prefix('-') {
        Some(digits) => (-1_i64, digits),
        None => (1, raw.trim_start_matches('+')),
    };
    let number = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()? as i64,
        None => i64::try_from(digits.parse::<u64>().ok()?).ok()?,
    };
    Some(sign.wrapping_mul(number))
}

pub fn wall_clock_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars() -> Vars {
        let mut vars = Vars {
            root: "/base".into(),
            ..Vars::default()
        };
        vars.values.insert("n".into(), Value::Int(5));
        vars.values.insert("p".into(), Value::Text("/x".into()));
        vars
    }

    #[test]
    fn words_become_values() {
        let vars = vars();
        let value = |kind, raw: &str| vars.value(kind, &Token::new(raw));
        assert_eq!(value(Kind::Str, "~/a"), Ok(Value::Text("/base/a".into())));
        assert_eq!(value(Kind::Str, "$p/y"), Ok(Value::Text("/x/y".into())));
        assert_eq!(value(Kind::Long, "$n+2"), Ok(Value::Int(7)));
        assert_eq!(value(Kind::Int, "-0x10"), Ok(Value::Int(-16)));
        assert_eq!(value(Kind::Buf, "hex:00ff"), Ok(Value::Bytes(vec![0, 255])));
        assert_eq!(value(Kind::Strs, "[]"), Ok(Value::List(vec![])));
        assert!(value(Kind::Int, "$nothing").is_err());
    }

    #[test]
    fn sets_ignore_order_and_ranges_have_both_ends() {
        let mut vars = vars();
        let found = Value::List(vec![Value::Text("b".into()), Value::Text("a".into())]);
        let mut check = |kind, found: &Value, raw: &str| {
            vars.check(kind, found, Compare::Equal, &Token::new(raw))
        };
        assert_eq!(check(Kind::Strs, &found, "{a,b}"), Ok(true));
        assert_eq!(check(Kind::Strs, &found, "[a,b]"), Ok(false));
        assert_eq!(check(Kind::Long, &Value::Int(7), "$n..7"), Ok(true));
        assert_eq!(check(Kind::Long, &Value::Int(8), "$n..7"), Ok(false));
    }
}
