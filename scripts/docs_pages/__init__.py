"""The pages of the documentation site, for `scripts/docs`.

The site generator reads Markdown from one folder. This package fills that folder: the pages of `docs/`, files outside
`docs/` that they link to, and pages generated from the command and the package.

Modules:
    pages: the folder of pages
    links: links between files of the repository, as links between pages of the site
    parameters: arguments and options of a command, as Markdown tables
    command: the reference of the command
    options: the tables in docs/options.md
    api: the reference of the package
    build: the site, built and served
"""
