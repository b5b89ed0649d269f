import { constants } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Type } from '../schema/index.ts';
import { fits } from '../yaml/index.ts';
import { StateFile } from './state-file.ts';

/** Tags that one tenant may have recorded on one switch: far more than devices keep. */
const PER_TENANT = 4096;

/** Where a tag is: behind a port, on the device of that serial number where it is known. */
export interface TagPlace {
  readonly port: number;
  readonly serial: string | undefined;
}

interface TagRecord {
  readonly port: number;
  readonly serial?: string;
  /** UUID text. */
  readonly tag: string;
  readonly tenant: string;
}

const stateShape = Type.Object(
  {
    tags: Type.Array(
      Type.Object(
        {
          port: Type.Integer({ minimum: 0, maximum: 255 }),
          serial: Type.Optional(Type.String()),
          tag: Type.String(),
          tenant: Type.String(),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);

/**
 * Who first added each capacity tag of a switch. A record is on disk before the command that creates the tag leaves, and
 * goes when the tag does. A file that was lost or damaged makes every tag that is there the operators'.
 */
export class TagOwners {
  private readonly file: StateFile;
  private records: readonly TagRecord[] = [];
  /** Recorded for a command whose end is not known yet: not on the device, and not to be taken for gone. */
  private readonly pending = new Set<TagRecord>();

  constructor(stateDirectory: string, switchName: string) {
    this.file = new StateFile(join(stateDirectory, `tags-${switchName}.json`), 'cci tag owners', 1);
  }

  /** Reads the records. @returns what was wrong with them, for the log */
  async open(): Promise<string | undefined> {
    const loaded = await this.file.load();
    if (loaded.kind === 'missing') return undefined;
    if (loaded.kind === 'state' && fits(stateShape, loaded.state)) {
      this.records = loaded.state.tags;
      return undefined;
    }
    const aside = `${this.file.path}.damaged-${Date.now()}`;
    await copyFile(this.file.path, aside, constants.COPYFILE_EXCL).catch(() => undefined);
    const why = loaded.kind === 'damaged' ? loaded.why : 'a field of it is missing or of the wrong type';
    return `the tag records are damaged (${why}), kept as ${aside}: tags that are there are the operators'`;
  }

  /** Undefined: nobody has a record. */
  ownerOf(place: TagPlace, tag: string): string | undefined {
    return this.find(place, tag)?.tenant;
  }

  /**
   * Records tags that nobody has, for a command that is about to add them. Durable when it resolves.
   *
   * @returns what to call when the command's end is known; undefined where one of them has an owner, or the tenant has
   *   too many
   * @throws the error of the file system: then nothing may be sent, and nothing is recorded
   */
  async claim(place: TagPlace, tags: readonly string[], tenant: string): Promise<Claim | undefined> {
    if (tags.some((tag) => this.find(place, tag) !== undefined)) return undefined;
    if (this.records.filter((record) => record.tenant === tenant).length + tags.length > PER_TENANT) return undefined;
    const { port, serial } = place;
    const added = tags.map((tag): TagRecord => ({ port, ...(serial === undefined ? {} : { serial }), tag, tenant }));
    this.records = [...this.records, ...added];
    for (const record of added) this.pending.add(record);
    try {
      await this.save();
    } catch (error) {
      this.remove(added);
      throw error;
    }
    return {
      made: new Set(added),
      keep: () => {
        for (const record of added) this.pending.delete(record);
      },
      release: async () => {
        this.remove(added);
        await this.save();
      },
    };
  }

  /** What is recorded now, to be taken before a device is asked for its tags. */
  recorded(): RecordedTags {
    return { settled: new Set(this.records.filter((record) => !this.pending.has(record))) };
  }

  /**
   * Holds the records of a device against all its tags: what is there without a record is the operators', what is not
   * there any more is forgotten. What others recorded while it was read is none of its business: their commands may have
   * been carried out meanwhile. Durable when it resolves.
   *
   * @param before `recorded` before the tags were read
   * @param operators owner of what has no record
   * @param claim for a command that has not left: what stands there under its names was there before it
   * @throws the error of the file system
   */
  async reconcile(
    place: TagPlace,
    present: readonly string[],
    { before, operators, claim }: { before: RecordedTags; operators: string; claim?: Claim | undefined },
  ): Promise<void> {
    const there = new Set(present);
    const here = this.records.filter((one) => isAt(one, place));
    // While nobody says who is behind the port, it may be another device: those of a known one are kept.
    const isSure = (one: TagRecord): boolean => place.serial !== undefined || one.serial === undefined;
    const gone = here.filter((one) => !there.has(one.tag) && before.settled.has(one) && isSure(one));
    const taken = here.filter((one) => there.has(one.tag) && claim?.made.has(one) === true);
    this.remove([...gone, ...taken]);
    const { port, serial } = place;
    const unknown = [...there].filter((tag) => this.find(place, tag) === undefined);
    const found = unknown.map(
      (tag): TagRecord => ({
        port,
        ...(serial === undefined ? {} : { serial }),
        tag,
        tenant: operators,
      }),
    );
    if (gone.length + taken.length + found.length === 0) return;
    this.records = [...this.records, ...found];
    await this.save();
  }

  private find(place: TagPlace, tag: string): TagRecord | undefined {
    return this.records.find((record) => record.tag === tag && isAt(record, place));
  }

  private remove(records: readonly TagRecord[]): void {
    const gone = new Set(records);
    this.records = this.records.filter((record) => !gone.has(record));
    for (const record of records) this.pending.delete(record);
  }

  private save(): Promise<void> {
    return this.file.save(() => ({ tags: this.records }));
  }
}

/** Records whose command is over. */
export interface RecordedTags {
  readonly settled: ReadonlySet<object>;
}

/** Tags recorded for a command that is on its way. */
export interface Claim {
  /** The records themselves. */
  readonly made: ReadonlySet<object>;
  /** It was executed, or nobody knows. */
  keep(): void;
  /** It was not: the tags are nobody's again. @throws the error of the file system; they are nobody's all the same */
  release(): Promise<void>;
}

/** A device keeps its tags whatever port it is plugged into. */
function isAt(record: TagRecord, { port, serial }: TagPlace): boolean {
  return record.serial === undefined || serial === undefined ? record.port === port : record.serial === serial;
}
