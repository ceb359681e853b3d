//! Globals: names of Python objects, which stay names.

/// Modules that reach the operating system or run code; a checkpoint that names one was made to attack.
const DANGEROUS_MODULES: [&str; 26] = [
    "_posixsubprocess",
    "asyncio",
    "bdb",
    "code",
    "codeop",
    "commands",
    "ctypes",
    "ensurepip",
    "imp",
    "importlib",
    "multiprocessing",
    "nt",
    "os",
    "pdb",
    "pip",
    "popen2",
    "posix",
    "pty",
    "requests",
    "runpy",
    "shutil",
    "socket",
    "subprocess",
    "sys",
    "timeit",
    "webbrowser",
];

/// Builtins that run code or open files. `getattr` is not among them: pickles of nested classes hold it.
const DANGEROUS_BUILTINS: [&str; 11] = [
    "__import__",
    "apply",
    "breakpoint",
    "compile",
    "eval",
    "exec",
    "execfile",
    "file",
    "input",
    "open",
    "raw_input",
];

/// Whether a global is one that only an attack names. Everything else is inert and let pass, so that a
/// checkpoint with a user's own classes beside its state_dict can be read.
pub(super) fn is_dangerous(module: &str, name: &str) -> bool {
    let top = module.split('.').next().unwrap_or(module);
    match top {
        "builtins" | "__builtin__" => DANGEROUS_BUILTINS.contains(&name.split('.').next().unwrap_or(name)),
        _ => DANGEROUS_MODULES.contains(&top),
    }
}

/// The dictionary classes of `collections`, whose instances are dictionaries to us.
pub(super) fn dict_class(module: &str, name: &str) -> Option<DictClass> {
    match (module, name) {
        ("collections", "OrderedDict") => Some(DictClass::OrderedDict),
        ("collections", "defaultdict") => Some(DictClass::DefaultDict),
        ("collections", "Counter") => Some(DictClass::Counter),
        _ => None,
    }
}

/// A dictionary class of `collections`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DictClass {
    OrderedDict,
    DefaultDict,
    Counter,
}

impl DictClass {
    /// The name in Python.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::OrderedDict => "OrderedDict",
            Self::DefaultDict => "defaultdict",
            Self::Counter => "Counter",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dangerous() {
        let check = |module, name, expected| {
            assert_eq!(is_dangerous(module, name), expected, "{module}.{name}");
        };
        check("os", "system", true);
        check("os.path", "join", true);
        check("posix", "system", true);
        check("builtins", "eval", true);
        check("__builtin__", "eval", true);
        check("builtins", "eval.__call__", true);
        check("__builtin__", "execfile", true);
        check("__builtin__", "set", false);
        check("commands", "getoutput", true);
        check("copy_reg", "_reconstructor", false);
        check("exceptions", "ValueError", false);
        check("builtins", "getattr", false);
        check("oslo_config", "x", false);
        check("argparse", "Namespace", false);
        check("torch._utils", "_rebuild_tensor_v2", false);
    }
}
