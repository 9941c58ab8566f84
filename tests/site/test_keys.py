import stat

import pytest
from cryptography.fernet import Fernet

from fumibako.site.keys import Keys, make_keys, read_keys


def test_new_keys_are_read_back_and_only_their_owner_reads_them(tmp_path):
    made = make_keys(tmp_path / "keys")
    assert read_keys(tmp_path / "keys") == made
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600
    Fernet(made.fernet[0])


def test_after_a_rotation_the_first_key_seals_and_older_ones_open(tmp_path):
    (tmp_path / "keys").write_text("# note\n\ndjango d\nfernet new\nfernet old\n")
    assert read_keys(tmp_path / "keys") == Keys("d", ("new", "old"))


def test_no_file_is_no_keys(tmp_path):
    assert read_keys(tmp_path / "keys") == Keys()


def test_a_line_that_is_no_key_is_named_without_saying_it(tmp_path):
    (tmp_path / "keys").write_text("django d\nhunter2\n")
    with pytest.raises(ValueError, match=r"line 2 of .*keys is not a key"):
        read_keys(tmp_path / "keys")
