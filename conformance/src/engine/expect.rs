//! Compares what came with what a script expects.

use super::Stop;
use crate::script::eval::Vars;
use crate::script::step::{Check, Expect, ItemExpect, Items};
use crate::wire::codes::error_name;
use crate::wire::reply::{Item, Named, Reply};
use crate::wire::value::{Kind, Value};

/// Checks `reply` against the alternatives in order. Returns the index of the
/// first that holds, or what is wrong with the first one.
pub fn reply(vars: &mut Vars, reply: &Reply, expects: &[Expect]) -> Result<usize, Stop> {
    let mut first_problem = None;
    for (index, expect) in expects.iter().enumerate() {
        match one(vars, reply, expect)? {
            None => return Ok(index),
            Some(problem) => first_problem = first_problem.or(Some(problem)),
        }
    }
    let problem = first_problem.unwrap_or_else(|| "nothing is expected".into());
    Err(Stop::Mismatch(problem))
}

fn one(vars: &mut Vars, reply: &Reply, expect: &Expect) -> Result<Option<String>, String> {
    if reply.err != expect.err {
        let (wanted, found) = (error_name(expect.err), error_name(reply.err));
        return Ok(Some(format!("expected {wanted}, the answer is {found}")));
    }
    if let Some(problem) = &reply.problem {
        return Ok(Some(problem.clone()));
    }
    let header = [
        ("xid", Kind::Int, i64::from(reply.xid)),
        ("zxid", Kind::Long, reply.zxid),
        (
            "len",
            Kind::Int,
            i64::try_from(reply.length).unwrap_or(i64::MAX),
        ),
    ];
    let mut fields: Vec<Named> = header
        .into_iter()
        .map(|(name, kind, number)| Named {
            name,
            kind,
            value: Value::Int(number),
        })
        .collect();
    fields.extend(reply.fields.iter().cloned());
    if let Some(problem) = checks(vars, &fields, &expect.checks)? {
        return Ok(Some(problem));
    }
    match &expect.items {
        None => Ok(None),
        Some(expected) => items(vars, &reply.items, expected),
    }
}

/// `None` if every check holds, else what does not.
pub fn checks(
    vars: &mut Vars,
    fields: &[Named],
    checks: &[Check],
) -> Result<Option<String>, String> {
    for check in checks {
        let Some(field) = fields.iter().find(|field| field.name == check.name) else {
            return Err(format!("the answer has no field {}", check.name));
        };
        if !vars.check(field.kind, &field.value, check.compare, &check.value)? {
            let wanted = vars.show(field.kind, &check.value);
            let sign = check.compare.sign();
            return Ok(Some(format!(
                "expected {}{sign}{wanted}, found {}",
                check.name, field.value
            )));
        }
    }
    Ok(None)
}

fn items(vars: &mut Vars, found: &[Item], expected: &Items) -> Result<Option<String>, String> {
    match expected {
        Items::Fails { at, err } => Ok(failed(found, *at, *err)),
        Items::Each(each) => {
            if each.len() != found.len() {
                let (wanted, count) = (each.len(), found.len());
                return Ok(Some(format!("expected {wanted} results, found {count}")));
            }
            for (at, (item, expect)) in found.iter().zip(each).enumerate() {
                if let Some(problem) = item_problem(vars, item, expect)? {
                    return Ok(Some(format!("result {at}: {problem}")));
                }
            }
            Ok(None)
        }
    }
}

fn item_problem(
    vars: &mut Vars,
    item: &Item,
    expect: &ItemExpect,
) -> Result<Option<String>, String> {
    if item.code != expect.code {
        return Ok(Some(format!(
            "expected type {}, found {}",
            expect.code, item.code
        )));
    }
    if item.err != expect.err {
        let (wanted, found) = (error_name(expect.err), error_name(item.err));
        return Ok(Some(format!("expected {wanted}, found {found}")));
    }
    if item.code == -1 && record_err(item) != Some(i64::from(item.err)) {
        return Ok(Some(
            "the error record differs from the result's header".into(),
        ));
    }
    checks(vars, &item.fields, &expect.checks)
}

/// CP-MUL-04: err 0 before the failing op, its code there, −2 after it.
fn failed(found: &[Item], at: usize, err: i32) -> Option<String> {
    if found.len() <= at {
        return Some(format!(
            "expected result {at} to fail, found {} results",
            found.len()
        ));
    }
    found.iter().enumerate().find_map(|(index, item)| {
        let wanted = match index.cmp(&at) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => err,
            std::cmp::Ordering::Greater => -2,
        };
        let right =
            item.code == -1 && item.err == wanted && record_err(item) == Some(i64::from(wanted));
        (!right).then(|| {
            let wanted = error_name(wanted);
            format!(
                "result {index}: expected type -1 with {wanted} in header and record, found {item}"
            )
        })
    })
}

fn record_err(item: &Item) -> Option<i64> {
    let field = item.fields.iter().find(|field| field.name == "recordErr");
    field.and_then(|field| field.value.int())
}
