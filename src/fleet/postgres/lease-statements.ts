/**
 * Owns the SQL of leases and heartbeats. Each text is one statement, and so whole by itself; what counts as now is the moment at which it began, by
 * PostgreSQL's clock. A lease counts as held only while the row of its very process has not expired.
 */

/** Of node `n` and lease `l`. */
const LIVES = "n.node = l.node and n.incarnation = l.incarnation and n.expires_at > now()";

/** Written only if the name is free, ours, or its process has expired; a renewal only if it is ours. */
const BEAT = `
  before as materialized (
    select from nodes where node = $1 and incarnation = $2 and expires_at > now()
  ),
  written as (
    insert into nodes as n (node, incarnation, address, zone, version, told, beaten_at, expires_at)
    select $1, $2, $3, $4, $5, $6::jsonb, now(), now() + $7::float8 * interval '1 millisecond'
    where not $8::boolean or exists (select from before)
    on conflict (node) do update set
      incarnation = excluded.incarnation, address = excluded.address, zone = excluded.zone, version = excluded.version,
      told = excluded.told, beaten_at = excluded.beaten_at, expires_at = excluded.expires_at
    where n.incarnation = excluded.incarnation or n.expires_at <= now()
    returning node
  )
  select
    case
      when exists (select from written) then case when exists (select from before) then 'live' else 'gone' end
      when $8 and not exists (select from nodes where node = $1 and expires_at > now()) then 'gone'
      else 'taken'
    end as was,
    (select last_value from epochs) as epoch,
    (select coalesce(jsonb_agg(jsonb_build_object(
        'upstream', upstream, 'forMs', floor(extract(epoch from paused_until - now()) * 1000))), '[]')
      from budgets where paused_until > now()) as pauses`;

export const BEAT_ALONE = `with ${BEAT}`;

export const BEAT_AND_TIDY = `with
  tidied as (
    delete from leases where node = $1 and incarnation = $2 and epoch <= $9 and not (epoch = any($10::bigint[]))
  ), ${BEAT}`;

/**
 * Losers are told apart by reading alone. The rest is for two who find the same expired lease: the second one waits for the row, finds that its
 * epoch is not what it saw, and gets nothing, although what it knows of heartbeats is from before.
 */
export const ACQUIRE = `with
  seen as materialized (select epoch from leases where key = $1),
  held as materialized (select from leases l join nodes n on ${LIVES} where l.key = $1),
  before as materialized (
    select node, epoch, object_key, upload_id from leases where key = $1 and not exists (select from held) for update
  ),
  given as (
    insert into leases as l (key, node, incarnation, epoch, acquired_at)
    select $1, $2, $3, nextval('epochs'), now()
    from (select count(*) from before) as waited
    where not exists (select from held)
      and exists (select from nodes where node = $2 and incarnation = $3 and expires_at > now())
    on conflict (key) do update set
      node = excluded.node, incarnation = excluded.incarnation, epoch = excluded.epoch, acquired_at = excluded.acquired_at,
      object_key = null, upload_id = null
    where l.epoch = (select epoch from seen) and not exists (select from nodes n where ${LIVES})
    returning epoch
  )
  select given.epoch, before.node as "leftNode", before.epoch as "leftEpoch", before.object_key as "leftKey", before.upload_id as "leftUpload"
  from given left join before on true`;

export const HOLDER = `
  select n.node, n.incarnation, n.address, l.epoch from leases l join nodes n on ${LIVES} where l.key = $1`;

/** A row that was about to be deleted counts only if it was revived in time. */
export const RESOLVE = `with
  known as materialized (select digest, size, object_key, epoch, doomed_at from blobs where digest = $1),
  touched as (
    update blobs as b set used_at = now(), doomed_at = null from known
    where b.digest = known.digest and b.epoch = known.epoch
      and (b.doomed_at is not null or b.used_at < now() - interval '1 minute')
    returning b.digest
  ),
  object as (select * from known where doomed_at is null or exists (select from touched))
  select object.size, object.object_key as "objectKey", object.epoch as "objectEpoch",
    holder.node, holder.incarnation, holder.address, holder.epoch
  from (select) as one
  left join object on true
  left join (select n.node, n.incarnation, n.address, l.epoch from leases l join nodes n on ${LIVES} where l.key = $2)
    as holder on object.digest is null`;

export const NOTE_UPLOAD = `
  update leases set object_key = $3, upload_id = $4 where key = $1 and epoch = $2 returning epoch`;

/** No row when the lease was over. */
export const COMMIT = `with
  ended as (delete from leases where key = $1 and epoch = $2 returning epoch)
  insert into blobs as b (digest, size, object_key, epoch, used_at)
  select $3, $4::bigint, $5, ended.epoch, now() from ended
  on conflict (digest) do update set used_at = now(), doomed_at = null
  returning b.epoch`;

export const KNOWN_EPOCH = "select epoch from blobs where digest = $1";

export const RELEASE = "delete from leases where key = $1 and epoch = $2";

/** No process has this incarnation. */
export const PARK = "update leases set incarnation = '' where key = $1 and epoch = $2";

export const LEAVE = `with
  ended as (delete from leases where node = $1 and incarnation = $2)
  delete from nodes where node = $1 and incarnation = $2`;

export const MEMBERS = `
  select node, address, zone, version, told, expires_at > now() as "isLive",
    greatest(0, floor(extract(epoch from now() - beaten_at) * 1000)) as "silentMs"
  from nodes where beaten_at > now() - interval '1 hour' order by node`;

export const LEASES = `
  select l.key, n.node, n.incarnation, n.address, l.epoch,
    greatest(0, floor(extract(epoch from now() - l.acquired_at) * 1000)) as "heldMs"
  from leases l join nodes n on ${LIVES} order by l.acquired_at, l.epoch limit $1`;

export const FORGET = "delete from blobs where digest = $1 and epoch = $2";

export const PAUSE = `
  insert into budgets as b (upstream, seen_at, paused_until)
  values ($1, now(), now() + $2::float8 * interval '1 millisecond')
  on conflict (upstream) do update set
    seen_at = excluded.seen_at, paused_until = greatest(b.paused_until, excluded.paused_until)`;

/** Of those who raise epochs, one at a time. */
export const LOCK_EPOCHS = "select pg_advisory_xact_lock(7262724002)";

export const EPOCHS_BEHIND = `
  select greatest($1::bigint, floor(extract(epoch from clock_timestamp()) * 1000)::bigint) - last_value as behind from epochs`;

/** Uses them up: nobody who takes one at the same moment gets one twice. */
export const USE_EPOCHS_UP = "select max(nextval('epochs')) from generate_series(1, $1::bigint)";

export const SET_EPOCHS = "select setval('epochs', last_value + $1::bigint) from epochs";

/** Who died long ago, and what it had. */
export const CLEAR_OLD = `with
  ended as (
    delete from leases l where acquired_at < now() - interval '1 day' and not exists (select from nodes n where ${LIVES})
  ),
  allowed as (delete from budgets where paused_until < now() - interval '1 day')
  delete from nodes where beaten_at < now() - interval '1 day'`;
