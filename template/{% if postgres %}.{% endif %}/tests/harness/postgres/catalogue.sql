-- What is in a database, one query for each kind of thing: its name, and all that defines it.
--
-- What belongs to a table is named schema.table.part. `{own}` leaves PostgreSQL's own schemas out,
-- `{free}` what an extension made; `{owner}` is the database's owner. Left out, too, is what
-- PostgreSQL makes by itself: the row and array types of tables, the triggers of foreign keys, the
-- indexes of constraints. Not compared are rows, values of sequences, and what a whole server
-- shares: roles, tablespaces, subscriptions, replication slots.
--
-- What models cannot describe is in kinds apart, such as `settings of table`.

-- kind: schema
SELECT nspname, 'owner ' || pg_get_userbyid(nspowner) FROM pg_namespace o
WHERE {own} AND {free}

-- kind: extension
SELECT extname, 'version ' || extversion FROM pg_extension

-- kind: table
SELECT nspname || '.' || relname,
    CASE relkind WHEN 'p' THEN 'partitioned by ' || pg_get_partkeydef(o.oid)
        WHEN 'f' THEN 'foreign' ELSE 'plain' END
    || CASE relpersistence WHEN 'u' THEN ' unlogged' ELSE '' END
    || coalesce(' ' || pg_get_expr(relpartbound, o.oid), '')
    || coalesce(' with ' || reloptions::text, '')
    || CASE WHEN relrowsecurity THEN ' row security' ELSE '' END
    || CASE WHEN relforcerowsecurity THEN ' forced' ELSE '' END
FROM pg_class o JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p', 'f') AND {own} AND {free}

-- kind: column
SELECT nspname || '.' || relname || '.' || attname,
    format_type(atttypid, atttypmod)
    || CASE WHEN attnotnull THEN ' not null' ELSE '' END
    || CASE attgenerated WHEN '' THEN coalesce(' default ' || pg_get_expr(adbin, adrelid), '')
        ELSE ' generated as ' || pg_get_expr(adbin, adrelid) END
    || CASE attidentity WHEN 'a' THEN ' identity always'
        WHEN 'd' THEN ' identity by default' ELSE '' END
    || CASE WHEN attcollation <> typcollation
        THEN ' collate ' || attcollation::regcollation::text ELSE '' END
    || coalesce((SELECT concat_ws(' ', ' sequence start', seqstart, 'by', seqincrement, 'from',
            seqmin, 'to', seqmax, 'cache', seqcache, CASE WHEN seqcycle THEN 'cycle' END)
        FROM pg_depend d JOIN pg_sequence ON seqrelid = d.objid
        WHERE refclassid = 'pg_class'::regclass AND refobjid = attrelid AND refobjsubid = attnum
        AND deptype = 'i'), '')
FROM pg_attribute JOIN pg_class o ON o.oid = attrelid
JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_type t ON t.oid = atttypid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relkind IN ('r', 'p', 'f') AND attnum > 0 AND NOT attisdropped
    AND {own} AND {free}

-- kind: settings of table
SELECT * FROM (
    SELECT nspname || '.' || relname AS name, ltrim(''
        || coalesce(' toast with ' || (
            SELECT reloptions::text FROM pg_class WHERE oid = o.reltoastrelid), '')
        || coalesce(' of ' || nullif(reloftype, 0)::regtype::text, '')
        || coalesce(' inherits ' || (
            SELECT string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno)
            FROM pg_inherits WHERE inhrelid = o.oid), '')
        || coalesce(' access method ' || (
            SELECT amname FROM pg_am WHERE oid = relam AND amname <> 'heap'), '')
        || coalesce(' tablespace ' || (
            SELECT spcname FROM pg_tablespace WHERE oid = reltablespace), '')
        || CASE relreplident WHEN 'f' THEN ' replica identity full'
            WHEN 'n' THEN ' replica identity nothing'
            WHEN 'i' THEN ' replica identity ' || (SELECT indexrelid::regclass::text
                FROM pg_index WHERE indrelid = o.oid AND indisreplident) ELSE '' END
        || coalesce(' clustered on ' || (SELECT indexrelid::regclass::text
            FROM pg_index WHERE indrelid = o.oid AND indisclustered), '')
        || coalesce((SELECT ' server ' || srvname || coalesce(' options ' || ftoptions::text, '')
            FROM pg_foreign_table JOIN pg_foreign_server s ON s.oid = ftserver
            WHERE ftrelid = o.oid), '')
    ) AS settings
    FROM pg_class o JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'f') AND {own} AND {free}
) t WHERE settings <> ''

-- kind: settings of column
SELECT * FROM (
    SELECT nspname || '.' || relname || '.' || attname AS name, ltrim(''
        || CASE WHEN attstattarget >= 0 THEN ' statistics ' || attstattarget ELSE '' END
        || CASE WHEN attstorage <> typstorage THEN ' storage ' || attstorage::text ELSE '' END
        || CASE attcompression WHEN '' THEN '' ELSE ' compression ' || attcompression::text END
        || coalesce(' with ' || attoptions::text, '')
        || coalesce(' foreign options ' || attfdwoptions::text, '')
        || CASE WHEN attislocal THEN '' ELSE ' inherited' END
    ) AS settings
    FROM pg_attribute JOIN pg_class o ON o.oid = attrelid
    JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_type t ON t.oid = atttypid
    WHERE relkind IN ('r', 'p', 'f') AND attnum > 0 AND NOT attisdropped AND {own} AND {free}
) t WHERE settings <> ''

-- kind: settings of index
SELECT * FROM (
    SELECT nspname || '.' || t.relname || '.' || o.relname AS name, ltrim(''
        || coalesce((SELECT ' statistics ' || string_agg(attnum || '=' || attstattarget, ','
                ORDER BY attnum)
            FROM pg_attribute WHERE attrelid = o.oid AND attstattarget >= 0), '')
        || coalesce(' tablespace ' || (
            SELECT spcname FROM pg_tablespace WHERE oid = o.reltablespace), '')
        || coalesce((SELECT ' with ' || o.reloptions::text
            FROM pg_constraint WHERE conindid = o.oid AND contype IN ('p', 'u', 'x')), '')
    ) AS settings
    FROM pg_index JOIN pg_class o ON o.oid = indexrelid JOIN pg_class t ON t.oid = indrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace WHERE {own} AND {free}
) t WHERE settings <> ''

-- kind: index
SELECT nspname || '.' || t.relname || '.' || o.relname,
    pg_get_indexdef(o.oid) || CASE WHEN indisvalid THEN '' ELSE ' (invalid)' END
FROM pg_index JOIN pg_class o ON o.oid = indexrelid JOIN pg_class t ON t.oid = indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE {own} AND {free}
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = o.oid AND contype IN ('p', 'u', 'x'))

-- kind: constraint
SELECT nspname || '.' || coalesce(relname, typname) || '.' || conname,
    pg_get_constraintdef(o.oid) || CASE WHEN convalidated THEN '' ELSE ' (not validated)' END
FROM pg_constraint o JOIN pg_namespace n ON n.oid = connamespace
LEFT JOIN pg_class c ON c.oid = conrelid LEFT JOIN pg_type t ON t.oid = contypid
WHERE contype <> 'n' AND contype <> 't' AND {own} AND {free}

-- kind: sequence
SELECT nspname || coalesce('.' || (
        SELECT t.relname FROM pg_depend d JOIN pg_class t ON t.oid = refobjid
        WHERE d.objid = o.oid AND d.deptype = 'a' AND refclassid = 'pg_class'::regclass
    ), '') || '.' || o.relname,
    concat_ws(' ', format_type(seqtypid, NULL), 'start', seqstart,
    'by', seqincrement, 'from', seqmin, 'to', seqmax, 'cache', seqcache,
    CASE WHEN seqcycle THEN 'cycle' END, CASE relpersistence WHEN 'u' THEN 'unlogged' END)
FROM pg_sequence JOIN pg_class o ON o.oid = seqrelid
JOIN pg_namespace n ON n.oid = relnamespace
WHERE {own} AND {free}
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = o.oid AND deptype = 'i'
        AND classid = 'pg_class'::regclass)

-- kind: type
SELECT nspname || '.' || typname, CASE typtype
    WHEN 'e' THEN 'enum ' || (
        SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder)
        FROM pg_enum WHERE enumtypid = o.oid)
    WHEN 'd' THEN 'domain ' || format_type(typbasetype, typtypmod)
        || CASE WHEN typnotnull THEN ' not null' ELSE '' END
        || coalesce(' default ' || typdefault, '')
        || CASE WHEN typcollation <> (SELECT typcollation FROM pg_type WHERE oid = o.typbasetype)
            THEN ' collate ' || typcollation::regcollation::text ELSE '' END
    WHEN 'r' THEN 'range ' || (
        SELECT format_type(rngsubtype, NULL) FROM pg_range WHERE rngtypid = o.oid)
    ELSE 'composite ' || coalesce((
        SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = typrelid AND NOT attisdropped), '')
    END
FROM pg_type o JOIN pg_namespace n ON n.oid = typnamespace
WHERE {own} AND {free} AND (typtype IN ('e', 'd', 'r')
    OR typtype = 'c' AND EXISTS (SELECT FROM pg_class WHERE oid = typrelid AND relkind = 'c'))

-- kind: function
SELECT nspname || '.' || proname || '(' || pg_get_function_identity_arguments(o.oid) || ')',
    CASE prokind WHEN 'a' THEN 'aggregate ' || (
        SELECT concat_ws(' ', aggtransfn::regprocedure, aggtranstype::regtype, aggfinalfn::regproc,
            aggcombinefn::regproc, agginitval, aggsortop::regoperator)
        FROM pg_aggregate WHERE aggfnoid = o.oid)
        ELSE pg_get_functiondef(o.oid) END
FROM pg_proc o JOIN pg_namespace n ON n.oid = pronamespace
WHERE {own} AND {free}
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass
        AND objid = o.oid AND deptype = 'i')

-- kind: trigger
SELECT nspname || '.' || relname || '.' || tgname,
    pg_get_triggerdef(o.oid)
    || CASE tgenabled WHEN 'O' THEN '' ELSE ' (' || tgenabled::text || ')' END
FROM pg_trigger o JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace
WHERE NOT tgisinternal AND {own}

-- kind: view
SELECT nspname || '.' || relname,
    CASE relkind WHEN 'm' THEN 'materialized ' ELSE '' END || pg_get_viewdef(o.oid)
    || coalesce(' with ' || reloptions::text, '')
    || CASE WHEN relispopulated THEN '' ELSE ' (not populated)' END
FROM pg_class o JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('v', 'm') AND {own} AND {free}

-- kind: rule
SELECT nspname || '.' || relname || '.' || rulename, pg_get_ruledef(o.oid)
    || CASE ev_enabled WHEN 'O' THEN '' ELSE ' (' || ev_enabled::text || ')' END
FROM pg_rewrite o JOIN pg_class c ON c.oid = ev_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE rulename <> '_RETURN' AND {own}

-- kind: policy
SELECT nspname || '.' || relname || '.' || polname, concat_ws(' ', polcmd, polpermissive,
    polroles::regrole[]::text, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
FROM pg_policy o JOIN pg_class c ON c.oid = polrelid JOIN pg_namespace n ON n.oid = relnamespace
WHERE {own}

-- kind: statistics
SELECT nspname || '.' || stxname, pg_get_statisticsobjdef(o.oid)
    || coalesce(' statistics ' || nullif(stxstattarget, -1), '')
FROM pg_statistic_ext o JOIN pg_namespace n ON n.oid = stxnamespace WHERE {own}

-- kind: publication
SELECT pubname, concat_ws(' ', pg_get_userbyid(pubowner),
    CASE WHEN puballtables THEN 'all tables' END,
    CASE WHEN pubinsert THEN 'insert' END, CASE WHEN pubupdate THEN 'update' END,
    CASE WHEN pubdelete THEN 'delete' END, CASE WHEN pubtruncate THEN 'truncate' END,
    CASE WHEN pubviaroot THEN 'via root' END,
    (SELECT string_agg(t::text, ', ' ORDER BY t::text) FROM pg_publication_tables t
        WHERE t.pubname = o.pubname))
FROM pg_publication o

-- kind: event trigger
SELECT evtname, concat_ws(' ', evtevent, evtenabled, evttags::text, evtfoid::regprocedure::text)
FROM pg_event_trigger o WHERE {free}

-- kind: collation
SELECT nspname || '.' || collname, concat_ws(' ', collprovider, collisdeterministic, collencoding,
    to_jsonb(o) - '{oid,collversion,collnamespace,collowner,collname}'::text[])
FROM pg_collation o JOIN pg_namespace n ON n.oid = collnamespace WHERE {own} AND {free}

-- kind: conversion
SELECT nspname || '.' || conname, concat_ws(' ', conforencoding, contoencoding, conproc, condefault)
FROM pg_conversion o JOIN pg_namespace n ON n.oid = connamespace WHERE {own} AND {free}

-- kind: cast
SELECT castsource::regtype || ' as ' || casttarget::regtype,
    concat_ws(' ', nullif(castfunc, 0)::regprocedure::text, castcontext, castmethod)
FROM pg_cast o WHERE o.oid >= 16384 AND {free}

-- kind: operator
SELECT nspname || '.' || oprname || '(' || oprleft::regtype || ', ' || oprright::regtype || ')',
    concat_ws(' ', oprresult::regtype, oprcode, oprcom::regoperator, oprnegate::regoperator,
    oprrest, oprjoin, oprcanmerge, oprcanhash)
FROM pg_operator o JOIN pg_namespace n ON n.oid = oprnamespace WHERE {own} AND {free}

-- kind: operator class
SELECT nspname || '.' || opcname || ' using ' || amname,
    concat_ws(' ', opcintype::regtype, opcdefault, opckeytype::regtype)
FROM pg_opclass o JOIN pg_namespace n ON n.oid = opcnamespace JOIN pg_am a ON a.oid = opcmethod
WHERE {own} AND {free}

-- kind: operator family
SELECT nspname || '.' || opfname || ' using ' || amname, (
    SELECT string_agg(amopopr::regoperator::text, ', ' ORDER BY amopstrategy, amopopr)
    FROM pg_amop WHERE amopfamily = o.oid)
FROM pg_opfamily o JOIN pg_namespace n ON n.oid = opfnamespace JOIN pg_am a ON a.oid = opfmethod
WHERE {own} AND {free}

-- kind: text search configuration
SELECT nspname || '.' || cfgname, cfgparser::text || ' ' || coalesce((
    SELECT string_agg(maptokentype || '=' || mapdict::regdictionary, ', '
        ORDER BY maptokentype, mapseqno)
    FROM pg_ts_config_map WHERE mapcfg = o.oid), '')
FROM pg_ts_config o JOIN pg_namespace n ON n.oid = cfgnamespace WHERE {own} AND {free}

-- kind: text search dictionary
SELECT nspname || '.' || dictname, concat_ws(' ', dicttemplate, dictinitoption)
FROM pg_ts_dict o JOIN pg_namespace n ON n.oid = dictnamespace WHERE {own} AND {free}

-- kind: language
SELECT lanname, concat_ws(' ', lanpltrusted, lanplcallfoid::regproc)
FROM pg_language o WHERE o.oid >= 16384 AND {free}

-- kind: access method
SELECT amname, concat_ws(' ', amhandler, amtype) FROM pg_am o WHERE o.oid >= 16384 AND {free}

-- kind: transform
SELECT trftype::regtype || ' for ' || lanname,
    concat_ws(' ', trffromsql::regproc, trftosql::regproc)
FROM pg_transform o JOIN pg_language l ON l.oid = trflang WHERE {free}

-- kind: foreign data wrapper
SELECT fdwname, concat_ws(' ', fdwhandler::regproc, fdwvalidator::regproc, fdwoptions::text)
FROM pg_foreign_data_wrapper o WHERE {free}

-- kind: foreign server
SELECT srvname, concat_ws(' ', fdwname, srvtype, srvversion, srvoptions::text)
FROM pg_foreign_server o JOIN pg_foreign_data_wrapper f ON f.oid = srvfdw WHERE {free}

-- kind: user mapping
SELECT srvname || ' for ' || coalesce(usename, 'public'), '' FROM pg_user_mappings

-- kind: setting of the database
SELECT 'for ' || CASE setrole WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(setrole) END,
    setconfig::text
FROM pg_db_role_setting
WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())

-- kind: large object
SELECT oid::text, pg_get_userbyid(lomowner) FROM pg_largeobject_metadata

-- kind: owner of
SELECT nspname || '.' || relname, pg_get_userbyid(relowner)
FROM pg_class o JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND relowner <> {owner} AND {own}
    AND {free}
UNION ALL
SELECT nspname || '.' || proname || '(' || pg_get_function_identity_arguments(o.oid) || ')',
    pg_get_userbyid(proowner)
FROM pg_proc o JOIN pg_namespace n ON n.oid = pronamespace
WHERE proowner <> {owner} AND {own} AND {free}
UNION ALL SELECT nspname || '.' || typname, pg_get_userbyid(typowner)
FROM pg_type o JOIN pg_namespace n ON n.oid = typnamespace
WHERE typowner <> {owner} AND typtype IN ('e', 'd') AND {own} AND {free}

-- kind: security label on
SELECT concat_ws(' ', provider, objtype, objname), label FROM pg_seclabels
WHERE objname IS NOT NULL

-- kind: grants on
SELECT nspname || '.' || relname, relacl::text
FROM pg_class o JOIN pg_namespace n ON n.oid = relnamespace
WHERE relacl <> acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)
    AND {own} AND {free}
UNION ALL SELECT nspname || '.' || relname || '.' || attname, attacl::text
FROM pg_attribute JOIN pg_class o ON o.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
WHERE attacl IS NOT NULL AND {own}
UNION ALL
SELECT nspname || '.' || proname || '(' || pg_get_function_identity_arguments(o.oid) || ')',
    proacl::text
FROM pg_proc o JOIN pg_namespace n ON n.oid = pronamespace
WHERE proacl <> acldefault('f', proowner) AND {own} AND {free}
UNION ALL SELECT nspname || '.' || typname, typacl::text
FROM pg_type o JOIN pg_namespace n ON n.oid = typnamespace
WHERE typacl <> acldefault('T', typowner) AND {own} AND {free}
UNION ALL SELECT nspname, nspacl::text FROM pg_namespace
WHERE nspacl <> acldefault('n', nspowner) AND {own}
UNION ALL SELECT nspname || '.' || relname || '.' || attname, attacl::text
FROM pg_attribute JOIN pg_class o ON o.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
WHERE attacl IS NOT NULL AND attacl::text <> '{}' AND {own} AND {free}
UNION ALL SELECT 'database', datacl::text FROM pg_database
WHERE datname = current_database() AND datacl <> acldefault('d', datdba)
UNION ALL SELECT 'language ' || lanname, lanacl::text FROM pg_language
WHERE lanacl <> acldefault('l', lanowner)
UNION ALL SELECT 'foreign server ' || srvname, srvacl::text FROM pg_foreign_server
WHERE srvacl <> acldefault('S', srvowner)
UNION ALL SELECT 'foreign data wrapper ' || fdwname, fdwacl::text FROM pg_foreign_data_wrapper
WHERE fdwacl <> acldefault('F', fdwowner)

-- kind: default grants in
SELECT coalesce(nspname, 'all schemas') || ' to ' || defaclobjtype::text,
    pg_get_userbyid(defaclrole) || ' ' || defaclacl::text
FROM pg_default_acl LEFT JOIN pg_namespace n ON n.oid = defaclnamespace

-- kind: comment on
SELECT nspname || '.' || relname || coalesce('.' || attname, ''), description
FROM pg_description JOIN pg_class c ON c.oid = objoid AND classoid = 'pg_class'::regclass
JOIN pg_namespace n ON n.oid = relnamespace
LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid AND objsubid > 0
WHERE {own}
UNION ALL SELECT nspname || '.' || relname || '.' || conname, description
FROM pg_description JOIN pg_constraint k ON k.oid = objoid AND classoid = 'pg_constraint'::regclass
JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE {own}
UNION ALL SELECT nspname || '.' || typname, description
FROM pg_description JOIN pg_type t ON t.oid = objoid AND classoid = 'pg_type'::regclass
JOIN pg_namespace n ON n.oid = typnamespace WHERE {own}
UNION ALL SELECT nspname || '.' || relname || '.' || tgname, description
FROM pg_description JOIN pg_trigger t ON t.oid = objoid AND classoid = 'pg_trigger'::regclass
JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE {own}
UNION ALL
SELECT nspname || '.' || proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
    description
FROM pg_description JOIN pg_proc p ON p.oid = objoid AND classoid = 'pg_proc'::regclass
JOIN pg_namespace n ON n.oid = pronamespace WHERE {own}
UNION ALL SELECT nspname, description FROM pg_description
JOIN pg_namespace n ON n.oid = objoid AND classoid = 'pg_namespace'::regclass
WHERE {own} AND nspname <> 'public'

-- kind: comment on a
SELECT identity.type || ' ' || identity.identity, description
FROM pg_description, pg_identify_object(classoid, objoid, objsubid) AS identity
WHERE objoid >= 16384 AND identity.type NOT IN ('table', 'table column', 'index', 'sequence',
    'view', 'materialized view', 'foreign table', 'table constraint', 'type', 'domain', 'trigger',
    'function', 'procedure', 'aggregate', 'schema', 'view column', 'composite type', 'extension')
    AND coalesce(identity.schema, '') NOT IN ('internal', 'information_schema')
    AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = classoid AND d.objid = objoid AND d.deptype = 'e')
