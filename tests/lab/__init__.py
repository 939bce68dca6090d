"""The laboratory: hosts of every kind inside a private network without a way out.

Run a command in it with ``python -m tests.lab run -- COMMAND``. The modules, from the bottom up:
``population`` (who lives there); ``osdb``, ``sequences``, ``answers`` and ``persona`` (how a system
answers nmap); ``stream`` and ``services`` (what is said on open ports); ``hosts``, ``link`` and
``responder`` (answer each packet); ``namespace`` (private networks, for other laboratories too);
``zones`` and ``servers`` (real DNS and mail); ``laboratory`` (puts all of it together);
``outside`` (sees whether it is tight).

Nothing but the standard library is imported, so that it runs where nothing is installed yet.
"""
