//! Text to steps.

use std::time::Duration;

use super::step::{
    Action, Check, ConnectExpect, Cut, EventExpect, Expect, ItemExpect, Items, Plain, Request,
    Script, Step, What, WordsExpect,
};
use super::token::{Compare, Token, split};
use crate::wire::codes::{error_code, event_code};
use crate::wire::ops::{self, Op};

type Parsed<T> = Result<T, String>;

/// How long a `wait` without a bound goes on.
const WAIT: Duration = Duration::from_secs(15);

/// Parses a script; the error names the line.
pub fn script(text: &str) -> Parsed<Script> {
    let mut steps = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let tokens = split(line).map_err(|why| format!("line {}: {why}", index + 1))?;
        if tokens.is_empty() {
            continue;
        }
        let (session, words) = session_of(&tokens);
        let action = action(words).map_err(|why| format!("line {}: {why}", index + 1))?;
        steps.push(Step {
            line: index + 1,
            text: line.trim().to_owned(),
            session,
            action,
        });
    }
    Ok(steps)
}

fn session_of(tokens: &[Token]) -> (String, &[Token]) {
    if let [first, rest @ ..] = tokens
        && let Some(name) = first.raw.strip_suffix(':')
        && name.chars().all(|c| c.is_ascii_alphanumeric())
        && !name.is_empty()
    {
        return (name.to_owned(), rest);
    }
    ("a".to_owned(), tokens)
}

fn action(words: &[Token]) -> Parsed<Action> {
    let (left, right) = match words.iter().position(|word| word.raw == "->") {
        Some(at) => (words.get(..at).unwrap_or_default(), words.get(at + 1..)),
        None => (words, None),
    };
    let [verb, args @ ..] = left else {
        return Err("nothing to do".into());
    };
    match verb.raw.as_str() {
        "connect" | "resume" => connect(verb.raw == "resume", args, right),
        "send" => Ok(Action::Send(Box::new(request(args)?))),
        "recv" => {
            let op = args.first().and_then(|word| ops::by_name(&word.raw));
            Ok(Action::Receive(expects(op, right)?))
        }
        "event" => event(args),
        "quiet" => Ok(Action::Quiet),
        "closed" => Ok(Action::Closed),
        "drop" => Ok(Action::Drop),
        "probe" => Ok(Action::Probe),
        "raw" | "frame" => Ok(Action::Raw {
            bytes: hex(args)?,
            framed: verb.raw == "frame",
        }),
        "wait" => wait(args, words),
        "let" => match args {
            [name, eq, value] if eq.raw == "=" => Ok(Action::Let {
                name: name.raw.trim_start_matches('$').to_owned(),
                value: value.clone(),
            }),
            _ => Err("let $name = value".into()),
        },
        "verify" => verify(args),
        "4lw" => words_step(args, right),
        "server" => match args {
            [verb, who] => Ok(Action::Server {
                verb: verb.raw.clone(),
                who: who.clone(),
            }),
            _ => Err("server VERB WHO".into()),
        },
        _ => {
            let request = request(left)?;
            let op = match &request.what {
                What::Plain(plain) => Some(plain.op),
                What::Multi { op, .. } => Some(*op),
                What::Other { .. } => None,
            };
            Ok(Action::Call(Box::new(request), expects(op, right)?))
        }
    }
}

fn connect(resume: bool, args: &[Token], right: Option<&[Token]>) -> Parsed<Action> {
    let args = args
        .iter()
        .map(|arg| match arg.split_compare() {
            Some((name, Compare::Equal, value)) => Ok((name.to_owned(), value)),
            _ => Err(format!("connect takes name=value, not {}", arg.raw)),
        })
        .collect::<Parsed<_>>()?;
    let expect = match right {
        None => ConnectExpect::Accepted(Vec::new()),
        Some([what, rest @ ..]) => match what.raw.as_str() {
            "ok" => ConnectExpect::Accepted(checks(rest)?),
            "invalid" => ConnectExpect::Invalid(checks(rest)?),
            "closed" => ConnectExpect::Closed,
            other => return Err(format!("a connect ends ok, invalid or closed, not {other}")),
        },
        Some([]) => return Err("nothing after ->".into()),
    };
    Ok(Action::Connect {
        resume,
        args,
        expect,
    })
}

fn request(words: &[Token]) -> Parsed<Request> {
    let mut request = Request {
        what: What::Other {
            code: 0,
            body: Vec::new(),
        },
        xid: None,
        cut: None,
        extra: Vec::new(),
    };
    let mut rest = Vec::new();
    for word in words {
        match word.split_compare() {
            Some(("xid", Compare::Equal, value)) => request.xid = Some(value),
            Some(("cut", Compare::Equal, value)) => {
                request.cut = Some(cut(&value.raw)?);
            }
            Some(("extra", Compare::Equal, value)) => request.extra = hex(&[value])?,
            _ => rest.push(word.clone()),
        }
    }
    let [verb, args @ ..] = rest.as_slice() else {
        return Err("no operation".into());
    };
    request.what = match verb.raw.as_str() {
        "op" => match args {
            [code, body @ ..] => What::Other {
                code: code.raw.parse().map_err(|_| "op CODE HEX")?,
                body: hex(body)?,
            },
            [] => return Err("op CODE HEX".into()),
        },
        "multi" | "multiRead" => What::Multi {
            op: known(&verb.raw)?,
            parts: args
                .split(|word| word.raw == ";")
                .filter(|part| !part.is_empty())
                .map(plain)
                .collect::<Parsed<_>>()?,
        },
        _ => What::Plain(plain(&rest)?),
    };
    Ok(request)
}

fn cut(text: &str) -> Parsed<Cut> {
    match text {
        "each" => Ok(Cut::Each),
        _ => Ok(Cut::At(text.parse().map_err(|_| "cut=BYTES or cut=each")?)),
    }
}

fn known(name: &str) -> Parsed<&'static Op> {
    ops::by_name(name).ok_or_else(|| format!("no operation {name}"))
}

fn plain(words: &[Token]) -> Parsed<Plain> {
    let [verb, args @ ..] = words else {
        return Err("no operation".into());
    };
    let op = known(&verb.raw)?;
    let mut values = Vec::new();
    let mut next = 0;
    for arg in args {
        let named = arg.split_compare().and_then(|(name, compare, value)| {
            let index = op.request.iter().position(|(field, _)| *field == name)?;
            (compare == Compare::Equal).then_some((index, value))
        });
        match named {
            Some(named) => values.push(named),
            None if next < op.request.len() => {
                values.push((next, arg.clone()));
                next += 1;
            }
            None => return Err(format!("{} has no place for {}", op.name, arg.raw)),
        }
    }
    Ok(Plain { op, args: values })
}

fn expects(op: Option<&Op>, right: Option<&[Token]>) -> Parsed<Vec<Expect>> {
    let Some(right) = right else {
        return Ok(vec![expect(op, &[Token::new("ok")])?]);
    };
    right
        .split(|word| word.raw == "/")
        .map(|words| expect(op, words))
        .collect()
}

fn expect(op: Option<&Op>, words: &[Token]) -> Parsed<Expect> {
    let [first, rest @ ..] = words else {
        return Err("nothing after ->".into());
    };
    let text = words
        .iter()
        .map(|word| word.raw.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    let lists = op.is_some_and(|op| matches!(op.name, "multi" | "multiRead"));
    if !lists {
        return Ok(Expect {
            text,
            err: error(&first.raw)?,
            checks: checks(rest)?,
            items: None,
        });
    }
    let (err, items) = match (first.raw.as_str(), rest) {
        ("refused", [err]) => (error(&err.raw)?, None),
        ("none", []) => (0, Some(Items::Each(Vec::new()))),
        ("ok", []) => (0, None),
        ("fails", [at, err]) => {
            let at = at.raw.parse().map_err(|_| "fails INDEX ERROR")?;
            let err = error(&err.raw)?;
            (0, Some(Items::Fails { at, err }))
        }
        _ => {
            let each = words
                .split(|word| word.raw == ";")
                .map(item)
                .collect::<Parsed<_>>()?;
            (0, Some(Items::Each(each)))
        }
    };
    Ok(Expect {
        text,
        err,
        checks: Vec::new(),
        items,
    })
}

fn item(words: &[Token]) -> Parsed<ItemExpect> {
    let [first, rest @ ..] = words else {
        return Err("an empty result".into());
    };
    let (code, err) = match ops::by_name(&first.raw) {
        Some(op) => (op.code, 0),
        None => (-1, error(&first.raw)?),
    };
    Ok(ItemExpect {
        code,
        err,
        checks: checks(rest)?,
    })
}

fn error(name: &str) -> Parsed<i32> {
    error_code(name)
        .or_else(|| name.parse().ok())
        .ok_or_else(|| format!("no error {name}"))
}

fn checks(words: &[Token]) -> Parsed<Vec<Check>> {
    words
        .iter()
        .map(|word| {
            let (name, compare, value) = word
                .split_compare()
                .ok_or_else(|| format!("expected name=value, found {}", word.raw))?;
            Ok(Check {
                name: name.to_owned(),
                compare,
                value,
            })
        })
        .collect()
}

fn event(args: &[Token]) -> Parsed<Action> {
    let [kind, path, rest @ ..] = args else {
        return Err("event TYPE PATH".into());
    };
    Ok(Action::Event(EventExpect {
        kind: event_code(&kind.raw).ok_or_else(|| format!("no event {}", kind.raw))?,
        path: path.clone(),
        checks: checks(rest)?,
    }))
}

fn wait(args: &[Token], words: &[Token]) -> Parsed<Action> {
    let bound = args.first().and_then(|word| {
        let seconds = word.raw.strip_suffix('s')?;
        seconds.parse().ok().map(Duration::from_secs)
    });
    let skip = if bound.is_some() { 2 } else { 1 };
    Ok(Action::Wait {
        bound: bound.unwrap_or(WAIT),
        action: Box::new(action(words.get(skip..).unwrap_or_default())?),
    })
}

fn verify(args: &[Token]) -> Parsed<Action> {
    let [left, sign, right] = args else {
        return Err("verify VALUE SIGN VALUE".into());
    };
    let known = Compare::ALL.iter().find(|(name, _)| *name == sign.raw);
    let (_, compare) = known.ok_or_else(|| format!("no comparison {}", sign.raw))?;
    Ok(Action::Verify {
        left: left.clone(),
        compare: *compare,
        right: right.clone(),
    })
}

fn words_step(args: &[Token], right: Option<&[Token]>) -> Parsed<Action> {
    let [word] = args else {
        return Err("4lw WORD".into());
    };
    let expect = match right {
        Some([what]) if what.raw == "closed" => WordsExpect::Nothing,
        Some([what, text]) if what.raw == "text" => WordsExpect::Exact(text.text()?),
        Some([what, lines @ ..]) if what.raw == "lines" => {
            WordsExpect::Lines(lines.iter().map(Token::text).collect::<Parsed<_>>()?)
        }
        _ => return Err("4lw WORD -> closed | text \"..\" | lines \"..\" ..".into()),
    };
    Ok(Action::Words {
        word: word.text()?,
        expect,
    })
}

fn hex(words: &[Token]) -> Parsed<Vec<u8>> {
    let digits: String = words.iter().map(|word| word.raw.as_str()).collect();
    from_hex(&digits).ok_or_else(|| format!("not hex: {digits}"))
}

/// Bytes of a hex text of even length.
pub fn from_hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_step_of_its_session() {
        let steps = script("b: setData ~/a \"x\" version=3 -> BadVersion zxid>$z\n\n# note\nquiet")
            .expect("parses");
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[0].session, "b");
        let Action::Call(request, expects) = &steps[0].action else {
            panic!("not a call");
        };
        let What::Plain(plain) = &request.what else {
            panic!("not plain");
        };
        assert_eq!(plain.op.name, "setData");
        assert_eq!(plain.args.len(), 3);
        assert_eq!(expects[0].err, -103);
        assert_eq!(steps[1].session, "a");
    }

    #[test]
    fn a_multi_has_parts_and_results() {
        let steps =
            script("multi create ~/a ; check ~/a version=0 -> fails 1 BadVersion").expect("parses");
        let Action::Call(request, expects) = &steps[0].action else {
            panic!("not a call");
        };
        assert!(matches!(&request.what, What::Multi { parts, .. } if parts.len() == 2));
        assert!(matches!(
            expects[0].items,
            Some(Items::Fails { at: 1, err: -103 })
        ));
    }

    #[test]
    fn a_body_is_cut_at_one_place_or_at_each() {
        let cut_of = |line: &str| match script(line).expect("parses").remove(0).action {
            Action::Call(request, _) => request.cut,
            _ => panic!("not a call"),
        };
        assert_eq!(cut_of("exists ~/a cut=-2 -> NoNode"), Some(Cut::At(-2)));
        assert_eq!(cut_of("exists ~/a cut=each -> NoNode"), Some(Cut::Each));
        assert!(script("exists ~/a cut=some").is_err());
    }

    #[test]
    fn mistakes_name_their_line() {
        let error = script("ping\nfly ~/a").expect_err("no such operation");
        assert!(error.starts_with("line 2:"), "{error}");
        assert!(script("ping -> Nothing").is_err());
        assert!(script("delete ~/a 1 2 3").is_err());
    }
}
