"""The generator of the documentation: links, the reference of the command, the tables of options, and complete pages.

Nothing here needs the site generator. `scripts/docs` builds the site, where every warning is an error.
"""

import re
from pathlib import Path

import pytest

import jaxstyle
from scripts.docs_pages.api import api_pages, components
from scripts.docs_pages.command import command_page
from scripts.docs_pages.links import LinkError, rewrite_links, site_path
from scripts.docs_pages.options import PAGE, fill_tables
from scripts.docs_pages.pages import repository_pages, write_pages
from scripts.docs_pages.parameters import code, find_command, options_of, plain, table

ROOT = Path(__file__).parents[2]
PACKAGE = Path(jaxstyle.__file__).parent


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small repository as the current folder."""
    files = {
        "docs/index.md": "# Home\n\n[program](../examples/run.py), [numbers](numbers/), ![picture](a.jpg)\n",
        "docs/paper/README.md": "# Paper\n",
        "docs/numbers/1.json": "{}",
        "docs/a.jpg": "pixels",
        "docs/site.css": "",
        "examples/README.md": "# Examples\n\n[home](../docs/index.md)\n",
        "examples/run.py": "print(1)\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestLinks:
    @pytest.mark.parametrize(
        ("page", "link", "expected"),
        [
            ("docs/index.md", "paper/README.md", "paper/README.md"),
            ("docs/index.md", "paper/", "paper/README.md"),
            ("docs/index.md", "paper/README.md#part", "paper/README.md#part"),
            ("docs/index.md", "numbers/", "numbers/index.md"),
            ("docs/index.md", "../examples/README.md", "repository/examples/README.md"),
            ("docs/index.md", "../examples/run.py", "repository/examples/run.py.md"),
            ("docs/paper/README.md", "../../examples/", "../repository/examples/README.md"),
            ("examples/README.md", "../docs/a.jpg", "../../a.jpg"),
            ("docs/index.md", "https://arxiv.org/abs/1508.06576", "https://arxiv.org/abs/1508.06576"),
            ("docs/index.md", "#part", "#part"),
        ],
    )
    @pytest.mark.parametrize("form", ["[text]({})", "![text]({})", "[![text]({})](a.jpg)", '<img src="{}">'])
    @pytest.mark.usefixtures("repository")
    def test_a_link_leads_to_the_place_on_the_site(self, page: str, link: str, expected: str, form: str):
        form = form.replace("a.jpg", "https://arxiv.org/")
        assert rewrite_links(form.format(link), Path(page))[0] == form.format(expected)

    @pytest.mark.usefixtures("repository")
    def test_several_links_in_a_line(self):
        text, files = rewrite_links("[a](a.jpg) and [b](../examples/run.py)", Path("docs/index.md"))
        assert text == "[a](a.jpg) and [b](repository/examples/run.py.md)"
        assert files == [Path("docs/a.jpg"), Path("examples/run.py")]

    @pytest.mark.usefixtures("repository")
    def test_code_blocks_stay_as_they_are(self):
        text = "````md\n```\n[missing](missing.md)\n````\n```sh\n[missing](missing.md)\n```\n"
        assert rewrite_links(text, Path("docs/index.md")) == (text, [])

    @pytest.mark.parametrize("link", ["missing.md", "../../outside.md", "paper/missing.jpg"])
    def test_a_missing_file_is_an_error_that_names_the_page(self, link: str, repository: Path):
        (repository.parent / "outside.md").touch()
        with pytest.raises(LinkError, match=f"docs/index.md links to {re.escape(link)}, which does not exist"):
            rewrite_links(f"[text]({link})", Path("docs/index.md"))


class TestPages:
    @pytest.mark.usefixtures("repository")
    def test_linked_files_become_pages(self):
        pages = {str(path): content.decode() for path, content in repository_pages().items()}
        assert pages.keys() == {
            *("index.md", "paper/README.md", "site.css", "a.jpg"),
            *("numbers/index.md", "numbers/1.json", "repository/examples/run.py.md"),
        }
        assert pages["repository/examples/run.py.md"] == "# examples/run.py\n\n````python\nprint(1)\n````\n"
        assert pages["numbers/index.md"] == "# docs/numbers\n\n- [1.json](1.json)\n"

    def test_only_changed_files_are_written(self, repository: Path):
        folder = repository / "build"
        write_pages(folder)
        times = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
        assert {folder / "reference/command.md", folder / "reference/jaxstyle.md", folder / "a.jpg"} <= times.keys()
        Path("docs/index.md").write_text("# Other\n")
        write_pages(folder)
        changed = {path for path in folder.rglob("*") if path.is_file() and path.stat().st_mtime_ns != times[path]}
        assert changed == {folder / "index.md"}
        assert not (folder / "a.jpg").exists()

    def test_the_documentation_links_to_existing_files(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(ROOT)
        pages = repository_pages()
        assert {
            Path("batch.md"),
            Path("gallery/moon-embers.jpg"),
            Path("repository/examples/README.md"),
        } <= pages.keys()

    def test_the_navigation_has_every_page(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(ROOT)
        navigation = re.findall(r"^ +- .+: (\S+\.md)$", Path("mkdocs.yml").read_text(), flags=re.MULTILINE)
        written = [str(site_path(path)) for path in Path("docs").rglob("*.md")]
        assert sorted(navigation) == sorted(
            [*written, "reference/command.md", *(f"reference/{p}" for p in api_pages())]
        )


class TestCommand:
    def test_every_command_has_a_section_with_its_options_and_examples(self):
        page = command_page()
        sections = dict(re.findall(r"^#+ (jaxstyle.*)\n((?:(?!#).*\n)*)", page, flags=re.MULTILINE))
        assert {"jaxstyle", "jaxstyle stylize", "jaxstyle gram sample", "jaxstyle weights fetch"} <= sections.keys()
        for name, section in sections.items():
            command = find_command(*name.split()[1:])
            assert f"```text\n{name} " in section
            for option in options_of(command):
                assert option.opts[-1] in section
            for line in (command.epilog or "").splitlines():
                assert line in section or plain(line) in section

    def test_placeholders_defaults_and_headings(self):
        page = command_page()
        assert "| `--size PIXELS` | Longest side of the result in pixels." in page
        assert r"*\[default: 512\]* |" in page
        assert r"*\[required\]* |" in page
        assert "\n**Network**\n\n| option |" in page

    def test_examples_are_code(self):
        assert re.search(r"\*\*Examples\*\*\n\n.+:\n\n```sh\njaxstyle stylize .+\n```\n", command_page())


class TestOptions:
    def test_the_page_is_up_to_date(self):
        text = (ROOT / PAGE).read_text(encoding="utf-8")
        assert text == fill_tables(text), f"the tables of {PAGE} are not those of the commands; run scripts/docs"

    def test_the_page_has_every_option_of_stylize_and_batch(self):
        names = set(re.findall(r"`(--?[a-z-]+)|, (--[a-z-]+)|<code>(--[a-z-]+)", (ROOT / PAGE).read_text()))
        listed = {name for match in names for name in match if name}
        for command in ("stylize", "batch"):
            assert {name for option in options_of(find_command(command)) for name in option.opts} <= listed

    def test_one_picture_has_options_that_many_pairs_do_not_have(self):
        """The page names them in its introduction."""
        stylize, batch = (
            {option.opts[-1] for option in options_of(find_command(name))} for name in ("stylize", "batch")
        )
        assert stylize - batch == {"--save-every", "--content-mask", "--style-mask", "--print", "--proof"}
        assert "except for snapshots, masks, paper and proof" in " ".join((ROOT / PAGE).read_text().split())

    def test_only_what_is_between_the_markers_changes(self):
        page = "before\n<!-- table: batch without stylize -->\nstale\n<!-- end -->\nafter\n"
        filled = fill_tables(page)
        assert re.fullmatch(r"before\n<!-- .* -->\n\n### General\n(.*\n)*<!-- end -->\nafter\n", filled)
        assert "| `--zip` |  | Pair the first content" in filled
        assert "stale" not in filled and "--size" not in filled
        assert fill_tables(filled) == filled

    def test_an_unknown_command_is_an_error(self):
        with pytest.raises(KeyError, match="sculpt"):
            fill_tables("<!-- table: sculpt -->\n<!-- end -->")


class TestMarkdown:
    def test_text_of_help_pages_has_no_markup_but_code(self):
        assert plain("a*b_c <x> [y] a|b, `a_b`") == r"a\*b\_c \<x\> \[y\] a&#124;b, `a_b`"

    def test_code_in_a_table_may_have_alternatives(self):
        assert code("--size N") == "`--size N`"
        assert code("--pooling max|avg") == "<code>--pooling max&#124;avg</code>"

    def test_a_table(self):
        assert table(["a", "b"], [["1", "two\nlines"]]) == "| a | b |\n| --- | --- |\n| 1 | two lines |\n"


class TestApi:
    def test_every_public_object_is_on_one_page(self):
        pages = api_pages()
        assert set(pages) == {"jaxstyle.md", *(f"{component}.md" for component in components())}
        described = [name for page in pages.values() for name in re.findall(r"^ {8}- (\w+)$", page, flags=re.MULTILINE)]
        assert set(jaxstyle.__all__) <= set(described)
        assert all(described.count(name) == 1 for name in jaxstyle.__all__)

    def test_names_of_the_top_level_are_links_elsewhere(self):
        page = api_pages()["styles.md"]
        assert "[`gram_matrix`][jaxstyle.gram_matrix]" in page and "- gram_matrix\n" not in page

    def test_a_docstring_describes_parameters_and_attributes_one_by_one(self):
        """The site has a row for each, which it finds by the name."""
        section = r"^ +(?:Args|Attributes):\n((?: +.*\n|\n)+?)(?=\n|^ +\"\"\"|^ +\w+:\n)"
        grouped = [
            f"{path.relative_to(ROOT)}: {line.strip()}"
            for path in PACKAGE.rglob("*.py")
            for entries in re.findall(section, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            for line in re.findall(r"^ +\w+(?:, \w+)+: .*", entries, flags=re.MULTILINE)
        ]
        assert not grouped
