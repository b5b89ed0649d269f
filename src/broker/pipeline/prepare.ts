import { decodePayload, isSuccess, type TypedRow, uuidText, type Value } from '../../cci/index.ts';
import { type Decision, errnoTable, FABRIC_TENANT, type ResourcePath } from '../../policy/index.ts';
import type { Claim } from '../tag-owners.ts';
import { changesOf } from '../topology-changes.ts';
import type { Decided, Refusal, Services } from './context.ts';
import { foreign } from './decide.ts';
import type { Dispatched } from './dispatch.ts';

const OPCODE_ADD = 0x5604;
const NO_TAG = '00000000-0000-0000-0000-000000000000';

/** What was written down before a command waits for its turn, and is settled when its end is known. */
export interface Prepared {
  end(dispatched: Dispatched | undefined): Promise<void>;
}

/** Most commands need nothing written down. */
const nothing: Prepared = { end: async () => {} };

/**
 * Before a command waits for its turn: what it may move is written down, so that a broker that is killed knows at its
 * next start why the fabric is another one, and the tags it brings get their owner.
 */
export async function prepare(
  services: Services,
  decided: Decided,
): Promise<{ readonly ok: true; readonly prepared: Prepared } | { readonly ok: false; readonly refusal: Refusal }> {
  const { runtime, decision } = decided;
  const changes = changesOf(decision, runtime.topology);
  const tags = newTags(decided);
  if (changes.length === 0 && tags.length === 0 && !tellsLds(decision)) return { ok: true, prepared: nothing };
  let over: ((sent?: boolean) => void) | undefined;
  try {
    over = await runtime.topology.watcher?.expect(changes);
    const claimed = tags.length === 0 ? undefined : await claim(services, decided, tags);
    if (claimed?.kind === 'refused') {
      over?.();
      return { ok: false, refusal: claimed.refusal };
    }
    return { ok: true, prepared: settledBy(services, decided, claimed?.claim, over ?? (() => {})) };
  } catch (error) {
    over?.();
    services.log.error(
      { err: error, switch: runtime.name },
      'what a command is going to change cannot be written down',
    );
    return { ok: false, refusal: unwritable };
  }
}

function settledBy(
  services: Services,
  decided: Decided,
  claim: Claim | undefined,
  over: (sent: boolean) => void,
): Prepared {
  return {
    end: async (dispatched) => {
      over(dispatched === undefined || !wasNotSent(dispatched));
      if (dispatched !== undefined) noteLds(decided, dispatched);
      if (claim === undefined) return;
      if (dispatched !== undefined && wasNotExecuted(dispatched)) {
        await claim
          .release()
          .catch((error: unknown) =>
            services.log.error({ err: error }, 'a tag that was not added stays recorded on disk'),
          );
      } else claim.keep();
    },
  };
}

function wasNotSent(dispatched: Dispatched): boolean {
  return (
    dispatched.kind === 'refused' ||
    (dispatched.reply.kind === 'failed' && dispatched.reply.failure.outcome === 'not-sent')
  );
}

/** The device said no, or was not asked. An unknown end is none of these. */
function wasNotExecuted(dispatched: Dispatched): boolean {
  if (wasNotSent(dispatched)) return true;
  return (
    dispatched.kind === 'answered' &&
    dispatched.reply.kind === 'reply' &&
    dispatched.reply.reply.layers.some(({ returnCode }) => !isSuccess(returnCode))
  );
}

/** Tags that an add brings and nobody has a record of. */
function newTags({ runtime, decision, decoded }: Decided): readonly string[] {
  const { command } = decision;
  const [port] = command.hops;
  const params = decoded.asked;
  if (command.opcode !== OPCODE_ADD || port?.kind !== 'port' || params === undefined) return [];
  const { tag, extents } = params;
  const named = [tag, ...(Array.isArray(extents) ? extents.map((extent) => (extent as Value).tag) : [])];
  const texts = named.flatMap((one) => (one instanceof Uint8Array ? [uuidText(one)] : []));
  return [...new Set(texts)].filter(
    (text) => text !== NO_TAG && runtime.topology.tagOwner(port.port, text) === undefined,
  );
}

type Claimed =
  | { readonly kind: 'claimed'; readonly claim: Claim }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/**
 * The first who adds a tag has it. On a device that he shares the tags that are there already are looked at first: what
 * is there without a record is not his.
 */
async function claim(services: Services, decided: Decided, tags: readonly string[]): Promise<Claimed> {
  const { runtime, principal, decision } = decided;
  const [hop] = decision.command.hops;
  const place = runtime.topology.tagPlace(hop?.kind === 'port' ? hop.port : 0);
  const made = await runtime.tags.claim(place, tags, principal.tenant);
  if (made === undefined) return { kind: 'refused', refusal: foreign };
  try {
    return await checked(services, decided, tags, made);
  } catch (error) {
    // Else the name would stay his, and the next command would not look whose the tag is.
    await made.release().catch(() => undefined);
    throw error;
  }
}

async function checked(
  services: Services,
  { runtime, principal, decision }: Decided,
  tags: readonly string[],
  made: Claim,
): Promise<Claimed> {
  const [hop] = decision.command.hops;
  const port = hop?.kind === 'port' ? hop.port : 0;
  const place = runtime.topology.tagPlace(port);
  const path: ResourcePath = `/switches/${runtime.name}/ports/${port}`;
  const isWhole = services.policy.current.fabric.ownerOf(path) === principal.tenant;
  if (isWhole || principal.tenant === FABRIC_TENANT) return { kind: 'claimed', claim: made };
  const before = runtime.tags.recorded();
  const present = await runtime.topology.listTags(port);
  if (!present.ok) {
    await made.release();
    services.log.warn({ switch: runtime.name, port, text: present.text }, 'the tags of a device cannot be listed');
    return { kind: 'refused', refusal: unlisted };
  }
  await runtime.tags.reconcile(place, present.value, { before, operators: FABRIC_TENANT, claim: made });
  if (tags.every((tag) => runtime.tags.ownerOf(place, tag) === principal.tenant))
    return { kind: 'claimed', claim: made };
  await made.release();
  return { kind: 'refused', refusal: foreign };
}

const unlisted: Refusal = {
  code: 'EIO',
  detail: 'the command was not sent: the tags of the device cannot be read now',
  returnCode: errnoTable.EIO.returnCode,
};

const unwritable: Refusal = {
  code: 'EIO',
  detail: 'refused: what it is going to change cannot be written down, and nothing moves unrecorded',
  returnCode: errnoTable.EIO.returnCode,
};

/** Replies that tell how many LDs an MLD really has. */
function tellsLds({ command, facts }: Decision): boolean {
  return facts.class !== 'raw' && command.hops.length === 1 && (command.opcode === 0x5400 || command.opcode === 0x5401);
}

function noteLds({ runtime, decision, decoded }: Decided, dispatched: Dispatched): void {
  const { command } = decision;
  const [port] = command.hops;
  if (!tellsLds(decision) || port?.kind !== 'port' || dispatched.kind !== 'answered') return;
  const row = decoded.commands.rowByOpcode(command.opcode) as TypedRow | undefined;
  if (row === undefined || dispatched.reply.kind !== 'reply') return;
  const { reply } = dispatched.reply;
  if (reply.layers.length !== 2 || reply.layers.some(({ returnCode }) => !isSuccess(returnCode))) return;
  const value = decodePayload(row.response, reply.payload, { side: 'reply' });
  if (!value.ok) return;
  const { ld_count: count, number_of_lds: lds } = value.value as Value;
  const found = count ?? lds;
  if (typeof found === 'number') runtime.topology.noteLdCount(port.port, found);
}
