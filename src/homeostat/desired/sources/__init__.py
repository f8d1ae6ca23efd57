"""Where desired state lives: a source becomes a pinned revision, and that a :class:`~homeostat.model.tree.Tree`.

The only package that talks to Git servers, Helm repositories and registries. The ``git`` program fetches (transports, credentials), ``pygit2`` reads objects (speed); nothing is
ever checked out. What the files mean (Kustomize, Helm, plain YAML) belongs to ``desired/render``; how the Secrets with the credentials
are found in a cluster belongs to ``argo``.

    git.py          GitSources: resolve a revision, open its tree, poll
    remote.py       one repository: shared fetches, back-off, what was missing
    store.py        its bare repository on disk: references, objects, corruption
    git_process.py  one run of the git program: environment, time limits, end
    failures.py     what git said when it failed → one error class each
    git_tree.py     the files of one commit, and what changed between two
    submodules.py   other repositories at paths of a tree
    lfs.py          the files that pointers of Git LFS stand for
    revisions.py    which reference or commit a revision means (pure)
    integrity.py    which signatures a commit must show (pure)
    signatures.py   looks at them, with gpg and ssh-keygen
    metadata.py     addresses that nobody may be sent to (pure)
    urls.py         which addresses are accepted, and when two are the same (pure)
    sources.py       Sources: one face for all kinds
    charts.py        ChartSources: versions of charts and their archives, from both kinds of servers
    helm_repository.py  the index of a Helm repository, and where the archives are
    oci.py           tags, manifests and blobs of a registry; signing in
    dependencies.py  what a chart depends on, mounted beside it
    versions.py      which version a range means
    chart_credentials.py  from Argo CD's Secrets (pure)
    blobs.py         archives by their digest, on disk and in memory
    web.py           HTTP to servers that nobody vouches for
    archive.py       the files of a chart or another archive as a tree
    mounted.py       other trees below paths of a base
    issuers.py      who hands out tokens in place of passwords (pure)
    tokens.py       has them handed out, keeps and renews them
    credentials.py  from Argo CD's Secrets and ConfigMaps (pure)
    secrets.py      puts credentials where git can read them, and takes them away
"""
