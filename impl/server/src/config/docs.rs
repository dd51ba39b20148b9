//! `docs/configuration.md`, made from the table of keys.

use super::table::{self, Effect, Key, Kind, Reads};

const HEAD: &str = "\
# Configuration

This page is made from the server's table of keys
(`UPDATE_EXPECT=1 cargo test -p zk-server configuration_page`); edit `impl/server/src/config/table.rs` instead.

`vivarium server zoo.cfg` reads Apache's file: Java properties syntax, `dynamicConfigFile`, `<dataDir>/myid`.
Every key may also be given as `-D key=value`, and with the `zookeeper.` prefix; where both say something, the file wins.
A repeated or unknown key is a warning with file and line, and an error under `--strict-config`.

- **file**: Apache reads it from zoo.cfg. **property**: from zoo.cfg or `-Dzookeeper.<key>`. **bare**: Apache takes it by `-D<key>` only; here zoo.cfg works too.
- **internal**: accepted; it tunes a structure of Apache's server that does not exist here.
- **no effect yet**: accepted with a warning.
- **fails closed**: protects something that is not built; asking for it refuses the start.
";

/// The whole page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for section in table::SECTIONS {
        page.push_str(&format!("\n## {}\n\n", section.title));
        page.push_str(
            "| Key | Read as | Value | Default | Meaning | Here |\n|---|---|---|---|---|---|\n",
        );
        for key in section.keys {
            page.push_str(&row(key));
        }
    }
    page
}

fn row(key: &Key) -> String {
    let reads = match key.reads {
        Reads::File => "file",
        Reads::Property => "property",
        Reads::Bare => "bare",
    };
    let default = key
        .default
        .map(|text| format!("`{text}`"))
        .unwrap_or_default();
    let cells = [
        format!("`{}`", key.name),
        reads.to_owned(),
        value(&key.kind),
        default,
        key.meaning.to_owned(),
        effect(&key.effect),
    ];
    // A bar inside a cell would end it.
    let cells = cells.map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | "))
}

fn value(kind: &Kind) -> String {
    const LARGEST: u32 = i32::MAX as u32;
    match kind {
        Kind::Int {
            min, max: LARGEST, ..
        } => format!("number, at least {min}"),
        Kind::Int { min, max, .. } if min == max => format!("{min}"),
        Kind::Int { min, max, .. } => format!("{min} to {max}"),
        Kind::OrOff { .. } => "number or -1".to_owned(),
        Kind::Port { .. } => "port".to_owned(),
        Kind::Ratio { .. } => "0 to 1".to_owned(),
        Kind::Flag { .. } => "true, false".to_owned(),
        Kind::Loose { .. } => "true; all else is false".to_owned(),
        Kind::YesNo { .. } => "yes, no".to_owned(),
        Kind::Text { allowed, .. } => (*allowed).to_owned(),
        Kind::Secret { .. } => "text, never shown".to_owned(),
        Kind::Unused => "text".to_owned(),
    }
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Works => String::new(),
        Effect::Differs(how) => (*how).to_owned(),
        Effect::Internal => "internal".to_owned(),
        Effect::NotYet => "no effect yet".to_owned(),
        Effect::Warns { text, .. } => (*text).to_owned(),
        Effect::Refused { reason, .. } => format!("fails closed: {reason}"),
    }
}
