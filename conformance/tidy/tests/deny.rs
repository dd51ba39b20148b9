//! `deny.toml` holds for what is built and locked.

use anyhow::Result;
use tidy::deny::{locked, packages, policy};

#[test]
fn licences_are_allowed_ones() -> Result<()> {
    let packages = packages()?;
    assert!(packages.len() > 100, "{} packages", packages.len());
    let wrong = policy()?.licences(&packages)?;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn nothing_banned_is_used() -> Result<()> {
    let wrong = policy()?.banned(&packages()?);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn no_package_is_there_twice_and_all_come_from_the_registry() -> Result<()> {
    let (policy, locked) = (policy()?, locked()?);
    let mut wrong = policy.duplicates(&locked);
    wrong.extend(policy.foreign(&locked));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn every_word_of_the_policy_is_needed() -> Result<()> {
    let (policy, packages) = (policy()?, packages()?);
    for licence in &policy.licenses.allow {
        let mut less = policy.clone();
        less.licenses.allow.retain(|other| other != licence);
        assert!(
            !less.licences(&packages)?.is_empty(),
            "no package needs {licence}"
        );
    }
    for ban in &policy.bans.deny {
        for wrapper in &ban.wrappers {
            let uses =
                |p: &tidy::deny::Package| p.name == *wrapper && p.uses.contains(&ban.package);
            assert!(
                packages.iter().any(uses),
                "{wrapper} does not use {}",
                ban.package
            );
        }
    }
    Ok(())
}
