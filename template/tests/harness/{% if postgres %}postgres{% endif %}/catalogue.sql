-- What is in a database, one query for each kind of thing: its name, and all that defines it.
--
-- What belongs to a table is named schema.table.part. `{own}` leaves PostgreSQL's own schemas out,
-- `{free}` what an extension made. Left out, too, is what PostgreSQL makes by itself: the row and
-- array types of tables, the triggers of foreign keys, the indexes of constraints.

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
FROM pg_attribute JOIN pg_class o ON o.oid = attrelid
JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_type t ON t.oid = atttypid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relkind IN ('r', 'p', 'f') AND attnum > 0 AND NOT attisdropped
    AND {own} AND {free}

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
    CASE WHEN seqcycle THEN 'cycle' END)
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
    CASE prokind WHEN 'a' THEN 'aggregate' ELSE pg_get_functiondef(o.oid) END
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
FROM pg_class o JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('v', 'm') AND {own} AND {free}

-- kind: rule
SELECT nspname || '.' || relname || '.' || rulename, pg_get_ruledef(o.oid)
FROM pg_rewrite o JOIN pg_class c ON c.oid = ev_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE rulename <> '_RETURN' AND {own}

-- kind: policy
SELECT nspname || '.' || relname || '.' || polname, concat_ws(' ', polcmd, polpermissive,
    polroles::regrole[]::text, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
FROM pg_policy o JOIN pg_class c ON c.oid = polrelid JOIN pg_namespace n ON n.oid = relnamespace
WHERE {own}

-- kind: statistics
SELECT nspname || '.' || stxname, pg_get_statisticsobjdef(o.oid)
FROM pg_statistic_ext o JOIN pg_namespace n ON n.oid = stxnamespace WHERE {own}

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
