"""Hooks of mkdocs: the command line's page is generated from the parser."""

from g4g.cli.manual import write_manual


def on_page_markdown(markdown, page, **_):
    return f"{markdown}\n{write_manual()}" if page.file.src_uri == "cli.md" else markdown
