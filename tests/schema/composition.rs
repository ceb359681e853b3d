//! Schemas that are made of schemas.

use insta::assert_snapshot;
use ptw2k::schema::{Error, RuleKind, Schema};

/// The rules and the rest of a schema that is made of files, or its faults.
fn compose(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), format!("schema = 1\n{text}")).unwrap();
    }
    let named = |text: String| text.replace(&format!("{}/", folder.path().display()), "");
    let schema = match Schema::open(&folder.path().join(files[0].0)) {
        Ok(schema) => schema,
        Err(Error::Invalid { file, faults }) => {
            let lines = faults.iter().map(|fault| {
                let help = fault.help.as_ref().map(|help| format!(" | {help}")).unwrap_or_default();
                format!("{}: {fault}{help}", fault.position)
            });
            let lines = std::iter::once(format!("{}{}", file.name, file.user())).chain(lines);
            return named(lines.collect::<Vec<_>>().join("\n"));
        }
        Err(error) => panic!("{error}"),
    };
    let mut lines = vec![format!("prefixes {:?}", schema.prefixes)];
    for rule in &schema.rules {
        let names = |keras: &[ptw2k::schema::Pattern]| {
            keras.iter().map(|keras| keras.to_string()).collect::<Vec<_>>().join(", ")
        };
        let what = match &rule.kind {
            RuleKind::Layer(rule) | RuleKind::Sequence(rule) => format!("{} = {}/", rule.torch, rule.keras),
            RuleKind::Tensor(rule) => format!("{} = {}", rule.torch, names(&rule.keras)),
            RuleKind::Fill(fill) => format!("{} = {}", fill.value, names(&fill.keras)),
            RuleKind::Keep(keep) => format!("keep {}", names(&keep.keras)),
        };
        let tables: Vec<&str> = rule.scope.tables.keys().map(String::as_str).collect();
        let dense = rule.scope.classes["Dense"].variables.len();
        lines.push(format!(
            "{what} [{}:{}{}] tables {tables:?} Dense {dense}",
            rule.position.file.name,
            rule.position.line(),
            rule.position.file.user()
        ));
    }
    lines.extend(schema.ignore.iter().map(|glob| format!("ignore {}", glob.text)));
    named(lines.join("\n"))
}

#[test]
fn a_schema_extends_another() {
    let base = "[source]\nprefix = 'bert.'\nignore = 'a.*'\n[table]\nT = [1]\nU = [2]\n\
                [[layer]]\ntorch = 'x.{i}'\nkeras = 'x_{T[i]}'\n[[tensor]]\ntorch = 'y'\nkeras = ['y', 'z']\n\
                [[tensor]]\ntorch = 'w'\nkeras = 'w'\n";
    let own = "extends = 'base.toml'\n[source]\nignore = 'b.*'\n[table]\nT = [3]\n\
               [[fill]]\nkeras = 'z'\nvalue = 1\n[[layer]]\ntorch = 'v.{i}'\nkeras = 'v_{U[i]}'\n\
               [[tensor]]\ntorch = 'w2'\nkeras = 'w'\n[class.Dense]\nvariables = [{ keras = 'k', torch = 'k' }]\n";
    assert_snapshot!(compose(&[("own.toml", own), ("base.toml", base)]), @r#"
    prefixes ["bert."]
    x.{i} = x_{T[i]}/ [base.toml:8, used by own.toml:2] tables ["T", "U"] Dense 1
    y = y [base.toml:11, used by own.toml:2] tables ["T", "U"] Dense 1
    1 = z [own.toml:7] tables ["T", "U"] Dense 1
    v.{i} = v_{U[i]}/ [own.toml:10] tables ["T", "U"] Dense 1
    w2 = w [own.toml:13] tables ["T", "U"] Dense 1
    ignore a.*
    ignore b.*
    "#);
    // One that comes with ptw2k.
    let own = "extends = 'torchvision/vgg16'\n[source]\nprefix = 'net.'\n[[fill]]\nkeras = 'a'\nvalue = 0\n";
    let composed = compose(&[("own.toml", own)]);
    assert!(
        composed.starts_with("prefixes [\"net.\"]\n") && composed.contains("[bundled:torchvision/vgg16:"),
        "{composed}"
    );
}

#[test]
fn a_schema_uses_others() {
    let part = "[source]\nprefix = ['bert.', '']\nignore = 'a.*'\n[table]\nT = [1]\n\
                [[layer]]\ntorch = 'x.{i}'\nkeras = 'x_{T[i]}'\n[[layer]]\ntorch = ''\nkeras = ''\n\
                [[fill]]\nkeras = '{x:**}/f'\nvalue = 0\n[class.Dense]\nvariables = [{ keras = 'k', torch = 'k' }]\n";
    let own = "[[layer]]\ntorch = 'first'\nkeras = 'first'\n[[use]]\nschema = 'part.toml'\ntorch = 'net.'\nkeras = 'net/'\n\
               [[layer]]\ntorch = 'last'\nkeras = 'last'\n[[use]]\nschema = 'one.toml'\ntorch = 'a.'\n";
    let one = "[source]\nprefix = 'm.'\n[[use]]\nschema = 'part.toml'\nkeras = 'deep/'\ntorch = 'p.'\n";
    assert_snapshot!(compose(&[("own.toml", own), ("part.toml", part), ("one.toml", one)]), @r#"
    prefixes [""]
    first = first/ [own.toml:2] tables [] Dense 2
    net.x.{i} = net/x_{T[i]}/ [part.toml:7, used by own.toml:5] tables ["T"] Dense 1
    net = net/ [part.toml:10, used by own.toml:5] tables ["T"] Dense 1
    0 = net/{x:**}/f [part.toml:13, used by own.toml:5] tables ["T"] Dense 1
    last = last/ [own.toml:9] tables [] Dense 2
    a.m.p.x.{i} = deep/x_{T[i]}/ [part.toml:7, used by one.toml:4, used by own.toml:12] tables ["T"] Dense 1
    a.m.p = deep/ [part.toml:10, used by one.toml:4, used by own.toml:12] tables ["T"] Dense 1
    0 = deep/{x:**}/f [part.toml:13, used by one.toml:4, used by own.toml:12] tables ["T"] Dense 1
    ignore net.bert.a.*
    ignore net.a.*
    ignore a.m.p.bert.a.*
    ignore a.p.bert.a.*
    ignore a.m.p.a.*
    ignore a.p.a.*
    "#);
}

/// With several prefixes, any of them may stand between the mount and the name.
#[test]
fn prefixes_under_a_mount() {
    let part = "[source]\nprefix = ['bert.', '']\n[[tensor]]\ntorch = '{x:**}.w'\nkeras = '{x}/w'\n[[layer]]\ntorch = 'l.{i}'\nkeras = 'l{i}'\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("part.toml"), format!("schema = 1\n{part}")).unwrap();
    let text = "schema = 1\n[[use]]\nschema = 'part.toml'\ntorch = 'net.'\nkeras = 'n/'";
    let schema = Schema::parse("t", text, Some(folder.path())).unwrap();
    let [tensor, layer] = schema.rules.as_slice() else { panic!("{:?}", schema.rules) };
    let (RuleKind::Tensor(tensor), RuleKind::Layer(layer)) = (&tensor.kind, &layer.kind) else {
        panic!("{:?}", schema.rules)
    };
    let path = |torch: &ptw2k::schema::Pattern, keras: &ptw2k::schema::Pattern, name: &str| {
        let captures = torch.matches(name)?;
        Some(keras.substitute(&captures, &schema.scope.tables).unwrap().to_string())
    };
    let tensor = |name: &str| path(&tensor.torch, &tensor.keras[0], name);
    let layer = |name: &str| path(&layer.torch, &layer.keras, name);
    assert_eq!(tensor("net.bert.a.b.w").as_deref(), Some("n/a/b/w"));
    assert_eq!(tensor("net.c.w").as_deref(), Some("n/c/w"));
    assert_eq!(tensor("net.w").as_deref(), Some("n/w"));
    assert_eq!(tensor("bert.c.w"), None);
    assert_eq!(layer("net.bert.l.3").as_deref(), Some("n/l3"));
    assert_eq!(layer("net.l.3").as_deref(), Some("n/l3"));
    assert_eq!(layer("net.other.l.3"), None);
    // A schema of a single layer, whose names are empty, and one that takes all names.
    let mounted = |torch: &str, prefix: &str, name: &str| {
        let part = format!(
            "schema = 1\n[source]\nprefix = {prefix}\n[[layer]]\ntorch = '{torch}'\nkeras = '{torch}'\n"
        );
        std::fs::write(folder.path().join("part.toml"), part).unwrap();
        let schema = Schema::parse("t", text, Some(folder.path())).unwrap();
        let RuleKind::Layer(rule) = &schema.rules[0].kind else { panic!("{:?}", schema.rules) };
        path(&rule.torch, &rule.keras, name)
    };
    assert_eq!(mounted("", "''", "net").as_deref(), Some("n"));
    assert_eq!(mounted("", "'m.'", "net.m").as_deref(), Some("n"));
    assert_eq!(mounted("", "['m.', '']", "net.m").as_deref(), Some("n"));
    assert_eq!(mounted("", "['m.', '']", "net").as_deref(), Some("n"));
    assert_eq!(mounted("{x:**}", "''", "net").as_deref(), Some("n"));
    assert_eq!(mounted("{x:**}", "''", "net.a.b").as_deref(), Some("n/a/b"));
    assert_eq!(mounted("{x:**}", "['m.', '']", "net.m.a").as_deref(), Some("n/a"));
    assert_eq!(mounted("{x:**}", "''", "nets"), None);
}

#[test]
fn composition_faults() {
    assert_snapshot!(compose(&[("a.toml", "extends = 'b.toml'\n"), ("b.toml", "[[use]]\nschema = 'a.toml'\n")]), @"
    b.toml, used by a.toml:2
    b.toml:3:10: schemas go round in a circle: a.toml → b.toml → a.toml | a schema cannot be a part of itself: move what both need to a third
    ");
    assert_snapshot!(compose(&[("a.toml", "[[use]]\nschema = 'b.toml'\ntorch = 'x'\nkeras = '{i}/'\n"), ("b.toml", "nmae = 'b'\n")]), @"
    b.toml, used by a.toml:2
    b.toml:2:1: unknown key `nmae` in the schema | did you mean `name`?
    ");
    assert_snapshot!(compose(&[("a.toml", "[[use]]\nschema = 'b.toml'\ntorch = 'x'\nkeras = '{i}/'\n[[use]]\ntorch = 3\n"), ("b.toml", "")]), @"
    a.toml
    a.toml:4:9: `torch` must be empty or end in a dot, without captures
    a.toml:5:9: `keras` must be empty or end in a slash, without captures
    a.toml:6:1: [[use]] needs `schema`
    a.toml:7:9: `torch` must be a string, not an integer
    ");
    assert_snapshot!(compose(&[("a.toml", "extends = 'resnet'\n[[use]]\nschema = 'none.toml'\n")]), @"
    a.toml
    a.toml:2:11: there is no schema `resnet`: neither a file nor one of the bundled schemas; did you mean `kerashub/resnet` or `torchvision/resnet`? | `ptw2k schemas` lists the bundled schemas; the name of a file ends in `.toml`
    a.toml:4:10: cannot read the schema none.toml: No such file or directory (os error 2) | a file is looked for beside the schema that names it
    ");
    let chain: Vec<(String, String)> =
        (0..9).map(|at| (format!("{at}.toml"), format!("extends = '{}.toml'\n", at + 1))).collect();
    let chain: Vec<(&str, &str)> = chain.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_snapshot!(compose(&chain), @"
    7.toml, used by 6.toml:2, used by 5.toml:2, used by 4.toml:2, used by 3.toml:2, used by 2.toml:2, used by 1.toml:2, used by 0.toml:2
    7.toml:2:11: schemas stand in each other more than 8 deep: 0.toml → 1.toml → 2.toml → 3.toml → 4.toml → 5.toml → 6.toml → 7.toml → 8.toml
    ");
    let twice: Vec<(String, String)> = (0..7)
        .map(|at| {
            let next = format!("[[use]]\nschema = '{}.toml'\n", at + 1);
            (format!("{at}.toml"), if at < 6 { next.repeat(2) } else { String::new() })
        })
        .collect();
    let twice: Vec<(&str, &str)> = twice.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert!(compose(&twice).contains("it is made of more than 64 schemas"));
}
