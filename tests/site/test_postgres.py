import psycopg


def test_the_embedded_database_speaks_japanese_without_the_systems_locale(cluster):
    with psycopg.connect(cluster.conninfo()) as connection:
        row = connection.execute(
            "SELECT datlocprovider, datlocale, lower('ＡＢＣ'), normalize('㈱', NFKC)"
            " FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    assert row == ("b", "C.UTF-8", "ａｂｃ", "(株)")
