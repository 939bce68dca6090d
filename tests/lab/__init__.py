"""The laboratory: hosts of every kind inside a private network without a way out.

Run a command in it with ``python -m tests.lab run -- COMMAND``. The modules, in the order of the dataflow:
``population`` (who lives there), ``osdb`` and ``persona`` (how a system answers nmap), ``services`` (what
is said on open ports), ``responder`` (answers each packet), ``namespace`` (the private network),
``dns`` and ``postfix`` (real servers), ``laboratory`` (puts all of it together).
"""
