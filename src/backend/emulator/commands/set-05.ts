import { RC } from '../../../cci/index.ts';
import { type Command, command, done, finished, refused, room } from '../command.ts';
import { type Feature, featuresOf } from '../feature-table.ts';
import type { CciState } from '../state.ts';

const UNSUPPORTED_VERSION = 0x0019;
const IN_PROGRESS = 0x001b;
const OUT_OF_ORDER = 0x001c;
const ENTRY_SIZE = 48;
const LIST_HEADER = 8;

/** Command set 05h: Features. */
export const set05: readonly Command[] = [
  command('get-supported-features', (context, { count, starting_feature_index }) => {
    const features = featuresOf(context.target.kind);
    if (count < LIST_HEADER || starting_feature_index >= features.length) return refused(RC.invalidInput);
    const most = Math.min(Math.floor((count - LIST_HEADER) / ENTRY_SIZE), room(context, LIST_HEADER, ENTRY_SIZE));
    return done({
      device_supported_features: features.length,
      supported_feature_entries: features
        .slice(starting_feature_index, starting_feature_index + most)
        .map((feature, i) => entry(feature, starting_feature_index + i)),
    });
  }),

  command('get-feature', (context, { feature_identifier, offset, count, selection }) => {
    const { cci, kind } = context.target;
    const feature = featuresOf(kind).find((candidate) => candidate.uuid === feature_identifier);
    if (feature === undefined) return refused(RC.invalidInput);
    const kept = cci.features?.get(feature.uuid);
    const data =
      selection === 'default'
        ? feature.defaults
        : selection === 'saved'
          ? (kept?.saved ?? feature.defaults)
          : (kept?.current ?? feature.defaults);
    if (offset + count > data.length || count > context.budget) return refused(RC.invalidInput);
    return done({ feature_data: data.slice(offset, offset + count) });
  }),

  command('set-feature', ({ target }, request) => {
    const { cci, kind } = target;
    const { action, saved_across_reset } = request.set_feature_flags;
    const feature = featuresOf(kind).find((candidate) => candidate.uuid === request.feature_identifier);
    if (feature === undefined || feature.writable === 0) return refused(RC.invalidInput);
    if (request.version !== feature.version) return refused(UNSUPPORTED_VERSION);
    const transfer = cci.featureTransfer;
    if (action === 'abort') {
      if (transfer?.uuid !== feature.uuid) return refused(OUT_OF_ORDER);
      cci.featureTransfer = null;
      return finished();
    }
    const data = request.feature_data;
    if (action === 'full' || action === 'initiate') {
      if (transfer !== null) return refused(IN_PROGRESS);
      if (action === 'full') {
        if (request.offset + data.length > feature.writable) return refused(RC.invalidInput);
        store(cci, feature, data, request.offset, saved_across_reset);
        return finished();
      }
      if (request.offset !== 0 || data.length > feature.writable) return refused(RC.invalidInput);
      cci.featureTransfer = { uuid: feature.uuid, saved: saved_across_reset, data, received: data.length };
      return finished();
    }
    if (transfer?.uuid !== feature.uuid || request.offset !== transfer.received) return refused(OUT_OF_ORDER);
    if (transfer.received + data.length > feature.writable) {
      cci.featureTransfer = null;
      return refused(RC.invalidInput);
    }
    const whole = new Uint8Array(transfer.received + data.length);
    whole.set(transfer.data);
    whole.set(data, transfer.received);
    transfer.data = whole;
    transfer.received = whole.length;
    if (action === 'finish') {
      store(cci, feature, whole, 0, transfer.saved);
      cci.featureTransfer = null;
    }
    return finished();
  }),
];

function store(cci: CciState, feature: Feature, data: Uint8Array, offset: number, saved: boolean): void {
  cci.features ??= new Map();
  const before = cci.features.get(feature.uuid);
  const current = (before?.current ?? feature.defaults).slice();
  current.set(data, offset);
  cci.features.set(feature.uuid, { current, saved: saved ? current : (before?.saved ?? null) });
}

function entry(feature: Feature, index: number) {
  return {
    feature_identifier: feature.uuid,
    feature_index: index,
    get_feature_size: feature.defaults.length,
    set_feature_size: feature.writable,
    attribute_flags: {
      changeable: feature.writable > 0,
      deepest_reset_persistence: 0,
      persist_across_firmware_update: false,
      default_selection_supported: true,
      saved_selection_supported: true,
    },
    get_feature_version: feature.version,
    set_feature_version: feature.version,
    set_feature_effects: feature.effects,
  };
}
