"""The catalogue contains every object that a downgrade can leave behind."""

import warnings

import asyncpg

from tests.harness.postgres import catalogue

GROUND = """
CREATE TYPE mood AS ENUM ('a','b');
CREATE SCHEMA s;
CREATE DOMAIN dom AS text CONSTRAINT dc CHECK (value <> 'y');
CREATE SEQUENCE sq;
CREATE TYPE comp AS (x int);
CREATE TABLE t (
    a int PRIMARY KEY, b text, i int GENERATED ALWAYS AS IDENTITY, m mood,
    fka int CONSTRAINT fk REFERENCES t
);
CREATE INDEX ix ON t (b);
CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW
    EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION moodint(mood) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE PUBLICATION pp;
CREATE POLICY po ON t USING (true);
CREATE COLLATION cc (locale='C');
CREATE RULE ru AS ON DELETE TO t DO ALSO NOTHING;
CREATE STATISTICS st ON a, b FROM t;
CREATE VIEW v AS SELECT a FROM t;
CREATE VIEW v2 AS SELECT 1 AS x;
CREATE TABLE ch2 (LIKE t);
CREATE MATERIALIZED VIEW mv AS SELECT 1 AS x;
CREATE TABLE part (a int) PARTITION BY LIST (a);
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);
CREATE FOREIGN DATA WRAPPER fw;
"""
CHANGES = """
ALTER TABLE t REPLICA IDENTITY FULL
ALTER TABLE t ALTER COLUMN a SET STATISTICS 500
ALTER TABLE t ALTER COLUMN b SET STORAGE EXTERNAL
ALTER TABLE t ALTER COLUMN a SET (n_distinct = 5)
CREATE PUBLICATION p FOR TABLE t
ALTER TABLE t SET (fillfactor = 50)
ALTER TABLE t SET (toast.autovacuum_enabled = false)
ALTER TABLE t CLUSTER ON ix
ALTER INDEX ix SET (fillfactor = 50)
ALTER TABLE t DISABLE TRIGGER tr
ALTER TABLE t ENABLE ALWAYS TRIGGER tr
CREATE COLLATION c (locale = 'C')
CREATE CAST (mood AS int) WITH FUNCTION moodint(mood)
CREATE OPERATOR === (leftarg = int, rightarg = int, function = int4eq)
CREATE OPERATOR CLASS oc FOR TYPE int USING btree AS OPERATOR 1 <, FUNCTION 1 btint4cmp(int,int)
CREATE OPERATOR FAMILY ofam USING btree
CREATE TEXT SEARCH CONFIGURATION ts (copy = simple)
CREATE TEXT SEARCH DICTIONARY td (template = simple)
CREATE CONVERSION cv FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1
CREATE FOREIGN DATA WRAPPER w
GRANT SELECT (a) ON t TO PUBLIC
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC
COMMENT ON PUBLICATION pp IS 'x'
COMMENT ON POLICY po ON t IS 'x'
COMMENT ON COLLATION cc IS 'x'
COMMENT ON INDEX ix IS 'x'
COMMENT ON RULE ru ON t IS 'x'
COMMENT ON CONSTRAINT dc ON DOMAIN dom IS 'x'
COMMENT ON STATISTICS st IS 'x'
ALTER VIEW v SET (security_barrier = true)
ALTER TABLE t ALTER COLUMN i SET INCREMENT 5
CREATE TABLE ch () INHERITS (t)
ALTER POLICY po ON t USING (false)
ALTER TABLE t DISABLE RULE ru
ALTER TABLE t ENABLE ROW LEVEL SECURITY
ALTER DOMAIN dom ADD CHECK (value <> 'z')
ALTER DOMAIN dom SET NOT NULL
ALTER SEQUENCE sq CYCLE
ALTER SEQUENCE sq AS int
ALTER SEQUENCE sq OWNED BY t.a
ALTER STATISTICS st SET STATISTICS 50
ALTER FUNCTION f() COST 5
ALTER FUNCTION f() SET work_mem = '1MB'
CREATE AGGREGATE ag(int) (sfunc = int4pl, stype = int)
ALTER TABLE part DETACH PARTITION part1
ALTER TABLE t ALTER COLUMN b SET COMPRESSION pglz
ALTER TABLE t ADD CONSTRAINT ck CHECK (a > 0) NOT VALID
ALTER TABLE t ALTER CONSTRAINT fk DEFERRABLE
REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC
ALTER PUBLICATION pp SET (publish = 'insert')
CREATE RULE r2 AS ON UPDATE TO t DO ALSO NOTHING
ALTER TYPE mood ADD VALUE 'c'
ALTER TYPE comp ADD ATTRIBUTE y int
CREATE ACCESS METHOD am TYPE TABLE HANDLER heap_tableam_handler
CREATE TRUSTED LANGUAGE pl2 HANDLER plpgsql_call_handler
ALTER TABLE t FORCE ROW LEVEL SECURITY
ALTER TABLE v2 RENAME TO v3
ALTER TABLE t RENAME CONSTRAINT fk TO fk2
CREATE SERVER sv FOREIGN DATA WRAPPER fw
ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO PUBLIC
"""


async def test_each_change_of_a_database_is_found(postgres: str) -> None:
    """Every change to the schema shows in the differences between two databases."""
    connection = await asyncpg.connect(postgres)
    unnamed = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PostgreSQL warns of publications on a server like ours
        await connection.execute(GROUND)
        before = await catalogue.read(connection)
        for change in CHANGES.strip().splitlines():
            await connection.execute(change)
            after = await catalogue.read(connection)
            if not catalogue.differences(before, after):
                unnamed.append(change)
            before = after
    await connection.close()
    assert not unnamed
