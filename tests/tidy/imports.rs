//! Who imports whom in the emulator, module by module: which modules a file names, resolved as the compiler does.

use super::Source;
use std::collections::BTreeSet;

const ROOT: &str = "emulator/src/";

/// The modules of the emulator's library, as paths from its root (`exec::run`).
pub struct Modules(BTreeSet<String>);

impl Modules {
    pub fn of(sources: &[Source]) -> Self {
        Self(sources.iter().filter_map(module_of).collect())
    }

    /// The modules, beside itself, that the code of `source` names. A name that is re-exported counts as its
    /// exporter's.
    pub fn imports(&self, source: &Source) -> BTreeSet<String> {
        let Some(here) = module_of(source) else { return BTreeSet::new() };
        let code: Vec<&str> = source.code_lines().map(|(_, line)| line).collect();
        let tokens = tokens(&code.join("\n"));
        let mut found = BTreeSet::new();
        for at in 0..tokens.len() {
            let starts = tokens.get(at + 1).is_some_and(|next| next == "::")
                && at.checked_sub(1).is_none_or(|before| tokens[before] != "::");
            let base = match tokens[at].as_str() {
                _ if !starts => continue,
                "crate" => Vec::new(),
                "self" => segments(&here),
                "super" => parent(segments(&here)),
                child if self.0.contains(&join(&here, child)) => {
                    [segments(&here), vec![child.to_owned()]].concat()
                }
                _ => continue,
            };
            self.tree(&tokens, at + 2, &base, &mut found);
        }
        found.remove(&here);
        found
    }

    /// What follows `base::` in a path or an import; where it ends.
    fn tree(&self, tokens: &[String], at: usize, base: &[String], found: &mut BTreeSet<String>) -> usize {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                let mut at = at + 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = self.tree(tokens, at, base, found);
                    while tokens.get(at).is_some_and(|token| token != "," && token != "}") {
                        at += 1;
                    }
                    at += usize::from(tokens.get(at).is_some_and(|token| token == ","));
                }
                at + 1
            }
            Some("super") if tokens.get(at + 1).is_some_and(|next| next == "::") => {
                self.tree(tokens, at + 2, &parent(base.to_vec()), found)
            }
            Some(name) => {
                let path = [base, &[name.to_owned()]].concat();
                if tokens.get(at + 1).is_some_and(|next| next == "::") {
                    return self.tree(tokens, at + 2, &path, found);
                }
                let prefixes = (1..=path.len()).rev().map(|len| path[..len].join("::"));
                found.extend(prefixes.into_iter().find(|prefix| self.0.contains(prefix)));
                at + 1
            }
            None => at,
        }
    }
}

/// The module that a file of the emulator's library is; its root and the command's `main.rs` apart.
pub fn module_of(source: &Source) -> Option<String> {
    let path = source.path.strip_prefix(ROOT)?.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    (path != "lib" && path != "main" && !source.is_test()).then(|| path.replace('/', "::"))
}

fn segments(module: &str) -> Vec<String> {
    module.split("::").map(str::to_owned).collect()
}

fn parent(mut module: Vec<String>) -> Vec<String> {
    module.pop();
    module
}

fn join(module: &str, child: &str) -> String {
    format!("{module}::{child}")
}

/// Words, `::`, braces and commas; of what lies in between, one token that is none of them.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (token, len) = match first {
            _ if word > 0 => (&rest[..word], word),
            ':' if rest.starts_with("::") => ("::", 2),
            '{' | '}' | ',' => (&rest[..1], 1),
            _ if first.is_whitespace() => ("", first.len_utf8()),
            _ => (";", first.len_utf8()),
        };
        if !token.is_empty() {
            tokens.push(token.to_owned());
        }
        rest = &rest[len..];
    }
    tokens
}

#[test]
fn paths_are_resolved_to_modules() {
    let file = |path: &str, text: &str| Source { path: path.into(), text: text.into(), test: false };
    let sources = [
        file("emulator/src/a/mod.rs", "mod b;\nuse b::{X, Y};\n"),
        file("emulator/src/a/b.rs", "use super::{Z, super::c::{self, d::D}};\nuse crate::{a, e};\n"),
        file("emulator/src/c/mod.rs", "fn f() { crate::a::b::g::<u8>() }\n// use crate::e;\n"),
        file("emulator/src/c/d.rs", "use std::fmt;\nuse super::{\n    super::e::E as F,\n    *,\n};\n"),
        file("emulator/src/e.rs", "//!\n#[cfg(test)]\nmod tests {\n    use crate::a;\n}\n"),
    ];
    let modules = Modules::of(&sources);
    let expected: [&[&str]; 5] = [&["a::b"], &["a", "c", "c::d", "e"], &["a::b"], &["c", "e"], &[]];
    for (source, expected) in sources.iter().zip(expected) {
        assert_eq!(modules.imports(source).iter().collect::<Vec<_>>(), expected, "{}", source.path);
    }
}
