//! Splits a line into words. Quotes and brackets keep blanks together.

/// A word of a script. `raw` still has its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub raw: String,
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Compare {
    pub const ALL: &[(&str, Compare)] = &[
        ("!=", Compare::NotEqual),
        (">=", Compare::GreaterOrEqual),
        ("<=", Compare::LessOrEqual),
        ("=", Compare::Equal),
        (">", Compare::Greater),
        ("<", Compare::Less),
    ];

    pub fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Compare::Equal => left == right,
            Compare::NotEqual => left != right,
            Compare::Less => left < right,
            Compare::LessOrEqual => left <= right,
            Compare::Greater => left > right,
            Compare::GreaterOrEqual => left >= right,
        }
    }

    pub fn sign(self) -> &'static str {
        let known = Self::ALL.iter().find(|(_, compare)| *compare == self);
        known.map_or("", |(sign, _)| sign)
    }
}

impl Token {
    pub fn new(raw: impl Into<String>) -> Token {
        Token { raw: raw.into() }
    }

    pub fn is_quoted(&self) -> bool {
        self.raw.starts_with('"')
    }

    /// `name=value`, `name>value` and so on; `None` for a plain word.
    pub fn split_compare(&self) -> Option<(&str, Compare, Token)> {
        let end = self
            .raw
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_'))?;
        let (name, rest) = self.raw.split_at_checked(end)?;
        if name.is_empty() {
            return None;
        }
        let known = Compare::ALL
            .iter()
            .find_map(|(sign, compare)| rest.strip_prefix(sign).map(|value| (*compare, value)));
        known.map(|(compare, value)| (name, compare, Token::new(value)))
    }

    /// The text of the word: quotes removed, escapes replaced.
    pub fn text(&self) -> Result<String, String> {
        match self.raw.strip_prefix('"') {
            None => Ok(self.raw.clone()),
            Some(rest) => match rest.strip_suffix('"') {
                None => Err(format!("no closing quote in {}", self.raw)),
                Some(inner) => unescape(inner),
            },
        }
    }
}

/// Words of one line, up to a comment.
pub fn split(line: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    let mut depth = 0_i32;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => {
                word.push(c);
                word.extend(chars.next());
                continue;
            }
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth -= 1,
            '#' if !quoted && word.is_empty() => break,
            _ => {}
        }
        if c.is_whitespace() && !quoted && depth == 0 {
            flush(&mut word, &mut tokens);
        } else {
            word.push(c);
        }
    }
    flush(&mut word, &mut tokens);
    if quoted || depth != 0 {
        return Err(format!("unbalanced quotes or brackets: {line}"));
    }
    Ok(tokens)
}

fn flush(word: &mut String, tokens: &mut Vec<Token>) {
    if !word.is_empty() {
        tokens.push(Token::new(std::mem::take(word)));
    }
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('0') => out.push('\0'),
            Some('u') => {
                let digits: String = chars.by_ref().take_while(|c| *c != '}').collect();
                let number = u32::from_str_radix(digits.trim_start_matches('{'), 16);
                let scalar = number.ok().and_then(char::from_u32);
                out.push(scalar.ok_or_else(|| format!("no such character: {digits}"))?);
            }
            Some(other) => out.push(other),
            None => return Err(format!("ends with a backslash: {text}")),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raws(line: &str) -> Vec<String> {
        let tokens = split(line).expect("splits");
        tokens.into_iter().map(|token| token.raw).collect()
    }

    #[test]
    fn quotes_and_brackets_keep_blanks() {
        assert_eq!(
            raws(r#"create ~/a data="x y" acl=[1@world:anyone] # note"#),
            ["create", "~/a", "data=\"x y\"", "acl=[1@world:anyone]"]
        );
        assert!(split("a \"b").is_err());
    }

    #[test]
    fn a_comparison_needs_a_name_before_its_sign() {
        let token = Token::new("zxid>=$z+1");
        let (name, compare, value) = token.split_compare().expect("compares");
        assert_eq!((name, compare), ("zxid", Compare::GreaterOrEqual));
        assert_eq!(value.raw, "$z+1");
        assert!(Token::new("~/a=b").split_compare().is_none());
    }

    #[test]
    fn escapes_are_replaced_inside_quotes() {
        assert_eq!(
            Token::new(r#""a\0\u{e000}\"""#).text(),
            Ok("a\0\u{e000}\"".into())
        );
    }
}
