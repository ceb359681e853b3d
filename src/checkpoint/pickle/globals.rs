//! Globals: names of Python objects, which stay names.

/// Objects of `os`, which lie in `posix` or `nt`, that run commands, end processes or change files.
const OF_OS: &[&str] = &[
    "system",
    "popen",
    "popen2",
    "popen3",
    "popen4",
    "startfile",
    "execl",
    "execle",
    "execlp",
    "execlpe",
    "execv",
    "execve",
    "execvp",
    "execvpe",
    "spawnl",
    "spawnle",
    "spawnlp",
    "spawnlpe",
    "spawnv",
    "spawnve",
    "spawnvp",
    "spawnvpe",
    "posix_spawn",
    "posix_spawnp",
    "fork",
    "forkpty",
    "kill",
    "killpg",
    "abort",
    "_exit",
    "open",
    "fdopen",
    "remove",
    "unlink",
    "rmdir",
    "removedirs",
    "rename",
    "renames",
    "replace",
    "link",
    "symlink",
    "truncate",
    "chmod",
    "chown",
    "mkfifo",
    "putenv",
    "unsetenv",
    "environ",
    "listdir",
    "chdir",
    "_execvpe",
    "_wrap_close",
];

/// Objects that run code or commands, or reach files or the network, when they are called, by their modules: what
/// attacks are made of, and what the known scanners of pickles look for. No class whose instances a checkpoint
/// might hold is among them, nor a whole module: users call their own modules `code` or `commands`.
const DANGEROUS: [(&str, &[&str]); 60] = [
    ("os", OF_OS),
    ("posix", OF_OS),
    ("nt", OF_OS),
    ("builtins", OF_BUILTINS),
    ("__builtin__", OF_BUILTINS),
    ("sys", &["exit", "settrace", "setprofile", "modules", "path", "meta_path", "_getframe"]),
    ("subprocess", OF_SUBPROCESS),
    ("_posixsubprocess", &["fork_exec"]),
    ("_winapi", &["CreateProcess"]),
    ("popen2", &["popen2", "popen3", "popen4", "Popen3", "Popen4"]),
    ("commands", &["getoutput", "getstatus", "getstatusoutput"]),
    ("asyncio", &["run", "create_subprocess_exec", "create_subprocess_shell"]),
    ("asyncio.subprocess", &["create_subprocess_exec", "create_subprocess_shell"]),
    ("asyncio.unix_events", &["_UnixSubprocessTransport", "_UnixSelectorEventLoop"]),
    ("multiprocessing", &["Process", "Pool"]),
    ("multiprocessing.context", &["Process", "ForkProcess"]),
    ("multiprocessing.process", &["Process", "BaseProcess"]),
    ("multiprocessing.util", &["spawnv_passfds"]),
    ("multiprocessing.spawn", &["_main", "spawn_main"]),
    ("runpy", &["run_module", "run_path", "_run_code", "_run_module_code", "_run_module_as_main"]),
    ("code", &["InteractiveInterpreter", "InteractiveConsole", "interact", "compile_command"]),
    ("codeop", &["compile_command", "Compile", "CommandCompiler", "_maybe_compile", "_compile"]),
    ("bdb", &["Bdb"]),
    ("pdb", &["Pdb", "run", "runeval", "runcall", "runctx", "set_trace", "main"]),
    ("cProfile", &["run", "runctx", "Profile"]),
    ("profile", &["run", "runctx", "Profile"]),
    ("trace", &["Trace"]),
    ("doctest", &["debug_script", "debug_src"]),
    ("timeit", &["timeit", "repeat", "main", "Timer"]),
    ("pty", &["spawn", "fork"]),
    ("importlib", &["import_module", "__import__", "reload"]),
    ("importlib.machinery", &["SourceFileLoader", "ExtensionFileLoader", "SourcelessFileLoader"]),
    ("importlib.util", &["spec_from_file_location", "module_from_spec"]),
    ("_frozen_importlib", &["__import__"]),
    ("imp", &["load_source", "load_module", "load_compiled", "load_dynamic", "load_package", "find_module"]),
    ("pkgutil", &["resolve_name"]),
    ("pydoc", &["locate", "pipepager", "tempfilepager", "render_doc"]),
    ("pip", &["main", "_internal.main", "_internal.cli.main.main"]),
    ("ensurepip", &["bootstrap", "_run_pip"]),
    ("shutil", &["rmtree", "move", "copy", "copy2", "copyfile", "copytree", "chown", "unpack_archive"]),
    ("socket", &["socket", "create_connection", "create_server", "socketpair", "fromfd"]),
    ("_socket", &["socket"]),
    ("socketserver", &["TCPServer", "UDPServer"]),
    ("ctypes", &["CDLL", "PyDLL", "WinDLL", "OleDLL", "LibraryLoader", "CFUNCTYPE", "cast", "string_at"]),
    ("ctypes.util", &["find_library"]),
    ("_ctypes", &["dlopen", "LoadLibrary", "call_function"]),
    ("webbrowser", &["open", "open_new", "open_new_tab", "get", "register"]),
    ("requests", OF_REQUESTS),
    ("requests.api", OF_REQUESTS),
    ("urllib", &["urlopen", "urlretrieve"]),
    ("urllib2", &["urlopen"]),
    ("urllib.request", &["urlopen", "urlretrieve", "build_opener"]),
    ("http.client", &["HTTPConnection", "HTTPSConnection"]),
    ("httplib", &["HTTPConnection", "HTTPSConnection"]),
    ("ftplib", &["FTP", "FTP_TLS"]),
    ("smtplib", &["SMTP", "SMTP_SSL"]),
    ("numpy.testing._private.utils", &["runstring", "rundocs"]),
    ("torch.hub", &["load", "load_state_dict_from_url", "download_url_to_file"]),
    ("torch.utils.cpp_extension", &["load", "load_inline"]),
    ("io", &["open", "open_code", "FileIO"]),
];

/// Builtins that run code or open files. `getattr` is not among them: pickles of nested classes hold it.
const OF_BUILTINS: &[&str] = &[
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
    "reload",
    "exit",
    "quit",
    "globals",
    "locals",
    "vars",
];

const OF_SUBPROCESS: &[&str] =
    &["Popen", "run", "call", "check_call", "check_output", "getoutput", "getstatusoutput"];

const OF_REQUESTS: &[&str] =
    &["get", "post", "put", "patch", "delete", "head", "options", "request", "Session"];

/// Attributes in a global's name that are looked at: a name of dots alone must not take time.
const MAX_ATTRIBUTES: usize = 8;

/// Whether a global is one that only an attack names. Everything else is inert and let pass, so that a
/// checkpoint with a user's own classes beside its state_dict can be read.
pub(super) fn is_dangerous(module: &str, name: &str) -> bool {
    let mut known = is_listed(module, name);
    // The name may reach the object through a module that imports its own: `posixpath` and `os.system`.
    let mut rest = name;
    for _ in 0..MAX_ATTRIBUTES {
        let Some((module, name)) = rest.split_once('.') else { break };
        known |= is_listed(module, name);
        rest = name;
    }
    known
}

/// Whether the module has a dangerous object of the name, or one with such an attribute.
fn is_listed(module: &str, name: &str) -> bool {
    let is_or_has = |object: &&str| {
        name.strip_prefix(*object).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    DANGEROUS.iter().any(|(known, objects)| *known == module && objects.iter().any(is_or_has))
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
        check("os.path", "join", false);
        check("os", "stat_result", false);
        check("nt", "popen", true);
        check("subprocess", "Popen", true);
        check("subprocess", "Popen.communicate", true);
        check("posixpath", "os.system", true);
        check("torch", "serialization.os.execv", true);
        check("runpy", "run_path", true);
        check("importlib", "import_module", true);
        check("code", "InteractiveInterpreter", true);
        check("code", "model.Config", false);
        check("code.model", "Config", false);
        check("code", "Config", false);
        check("commands", "Train", false);
        check("imp.nets", "Net", false);
        check("asyncio", "Settings", false);
        check("shutil", "rmtree", true);
        check("os", "systematic", false);
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
