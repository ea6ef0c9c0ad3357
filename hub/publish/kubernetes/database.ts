import type { IIoK8sApiCoreV1Container as Container } from 'kubernetes-models/v1'
import { DUMP } from '../../backup/members.ts'
import { names } from './names.ts'

/** Where the container of PostgreSQL's programs and that of the hub hand the dump to each other. */
const FOLDER = '/dump'
export const DUMP_FILE = `${FOLDER}/${DUMP}`
export const dumpMount = { name: 'dump', mountPath: FOLDER }

/**
 * What `ops/restore.sh` does before it reads a dump, word for word (a unit test compares them): all that is the hub's goes, also
 * tables of a later release. A dollar sign stands alone here, because Kubernetes takes two for one.
 */
export const emptyDatabase = String.raw`BEGIN;
SET LOCAL lock_timeout = '30s';
SET LOCAL client_min_messages = warning;
DO $hub$ DECLARE name text; BEGIN
  FOR name IN SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p') AND relname LIKE 'hub\_%' AND pg_table_is_visible(oid) LOOP
    EXECUTE 'DROP TABLE IF EXISTS ' || name || ' CASCADE';
  END LOOP;
  FOR name IN SELECT oid::regclass::text FROM pg_class WHERE relkind = 'S' AND relname LIKE 'hub\_%' AND pg_table_is_visible(oid) LOOP
    EXECUTE 'DROP SEQUENCE IF EXISTS ' || name;
  END LOOP;
END $hub$;`

/** `dump` or `restore`: what the hub's driver calls no-verify, PostgreSQL's own programs call require. */
const SCRIPT = String.raw`set -o pipefail
value() { sed -n "s/^$1=//p" /run/secrets/${names.environmentKey} | tail -n 1 | sed -E "s/^(['\"])(.*)\1$/\2/"; }
url=$(value DATABASE_URL)
if [ -z "$url" ]; then url=$(cat -- "$(value DATABASE_URL_FILE)"); fi
url=$(echo "$url" | sed 's/sslmode=no-verify/sslmode=require/')
# The password goes by the environment: everybody on the machine sees the arguments of a program.
password=$(echo "$url" | sed -n 's|^[a-z]*://[^:@/]*:\([^/?]*\)@.*|\1|p')
if [ -n "$password" ]; then
  url=$(echo "$url" | sed 's|^\([a-z]*://[^:@/]*\):[^/?]*@|\1@|')
  PGPASSWORD=$(printf %b "$(echo "$password" | sed 's/\\/\\\\/g; s/%/\\x/g')")
  export PGPASSWORD
fi
case $1 in
  dump)
    pg_dump --format=custom --table='hub_*' --file=${DUMP_FILE} --dbname="$url"
    pg_restore --file=/dev/null ${DUMP_FILE}
    echo 'The database is dumped, and the dump was read back.'
    ;;
  restore)
    if [ ! -e ${DUMP_FILE} ]; then
      echo 'The archive holds no dump: the database stays as it is.'
      exit
    fi
    # In one transaction: whatever ends in the middle, no COMMIT comes, and the database is as it was.
    { echo "$EMPTY_DATABASE" && pg_restore --no-owner --no-privileges --file=- ${DUMP_FILE} && echo 'COMMIT;'; } |
      psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --output=/dev/null --dbname="$url"
    echo 'The database is as it was when it was dumped.'
    ;;
esac
`

/** PostgreSQL's own programs, of its image: they know what the hub's image need not know. */
export function databasePrograms(image: string): Pick<Container, 'name' | 'image' | 'command' | 'args' | 'env'> {
  return {
    name: 'database',
    image,
    command: ['bash', '-ec', SCRIPT, 'database'],
    args: ['dump'],
    env: [{ name: 'EMPTY_DATABASE', value: emptyDatabase }],
  }
}
