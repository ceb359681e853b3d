//! What is wrong with names and globs.

use insta::assert_snapshot;

use crate::faults;

/// The fault of a rule with these names.
fn names(torch: &str, keras: &str) -> String {
    faults(&format!("[[layer]]\ntorch = \"{torch}\"\nkeras = \"{keras}\"\n"))
}

#[test]
fn captures() {
    assert_snapshot!(names("a.{}", "b"), @"t:3:12 `{}`: the braces are empty | name the capture, as in `{i}`");
    assert_snapshot!(names("a.{1x:*}", "b"), @"t:3:12 `{1x:*}`: `1x` is not a capture's name | a capture's name is a letter or `_` followed by letters, digits or `_`");
    assert_snapshot!(names("a.{x:p||q}", "b_{x}"), @"t:3:12 `{x:p||q}`: an alternative is empty | write the alternatives as `{x:a|b|c}`, none of them empty");
    assert_snapshot!(names("a.{x:p|q|p}", "b_{x}"), @"t:3:12 `{x:p|q|p}`: the alternative `p` is listed twice | leave one of the two out");
    assert_snapshot!(names("a.b{x:**}", "{x}"), @"t:3:13 `{x:**}`: `{x:**}` is only a part of a segment | `**` stands for whole segments: put separators around the capture, or use `*`");
    assert_snapshot!(names("a.{i}{j}", "b_{i}_{j}"), @"t:3:12 `{i}{j}`: names can match this in more than one way: the captures run into each other | put a separator between the captures, or list the alternatives: `{x:a|b}`");
    assert_snapshot!(names("a.{*}.weight", "b"), @r#"t:3:9 `"a.{*}.weight"`: `{*}` stands for the names of a module's parameters, and cannot stand here | it stands in the last segment of a [[layer]] rule's `torch`, as in `rnn.{*}_l{k}`"#);
}

#[test]
fn expressions() {
    let deep = format!("b_{{{}i{}}}", "(".repeat(40), ")".repeat(40));
    assert_snapshot!(names("a.{i}", &deep), @"t:4:46 `(`: the expression nests too deeply | leave out some of the parentheses");
}

#[test]
fn lengths() {
    assert_snapshot!(names(&"a".repeat(1100), "b").replace(&"a".repeat(1100), "a…"), @"t:3:10 `a…`: a pattern of 1100 bytes is longer than the 1024 that are supported | split the rule into several");
    let glob = "a".repeat(1100);
    assert_snapshot!(faults(&format!("[source]\nignore = \"{glob}\"\n")).replace(&glob, "a…"), @r#"t:3:10 `"a…"`: a glob of 1100 bytes is longer than the 1024 that are supported"#);
}

#[test]
fn axes_of_text() {
    assert_snapshot!(faults("[[tensor]]\ntorch = 'a.{e:*}.weight'\nkeras = 'a/kernel'\nlayout = 'o i -> e i o'\n"), @"t:5:10 `'o i -> e i o'`: the capture `e` is an axis, but its values are any text, which has no order | capture an integer, `{e}`, or list the values in order: `{e:first|second}`");
}
