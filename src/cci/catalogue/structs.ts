import { bitmap, bits, bytes, list, reserved, struct, u, uuid } from '../layout.ts';

// Blocks that several payloads share. Sizes and offsets: CXL r3.1 sections 7.6.7, 8.2.9.

/** 14 bytes: the state of a port, in the port information block and in the event that tells of a change. */
export const portState = struct('port_state', [
  bits(1, 'current_port_configuration_state', { state: [0, 3, 'port_configuration_state'], gae_support: [4, 4] }),
  bits(1, 'connected_device_mode', { mode: [0, 3, 'connected_device_mode'] }),
  reserved(1),
  u(1, 'connected_device_type', { enum: 'connected_device_type' }),
  bits(1, 'supported_cxl_modes', {
    rcd_mode: [0, 0],
    flit_68b_and_vh: [1, 1],
    flit_256b: [2, 2],
    latency_optimized_256b: [3, 3],
    pbr: [4, 4],
  }),
  bits(1, 'maximum_link_width', { lanes: [0, 5] }),
  bits(1, 'negotiated_link_width', { lanes: [0, 5] }),
  bits(1, 'supported_link_speeds_vector', {
    gt_2_5: [0, 0],
    gt_5: [1, 1],
    gt_8: [2, 2],
    gt_16: [3, 3],
    gt_32: [4, 4],
    gt_64: [5, 5],
  }),
  bits(1, 'maximum_link_speed', { speed: [0, 5, 'link_speed'] }),
  bits(1, 'current_link_speed', { speed: [0, 5, 'link_speed'] }),
  u(1, 'ltssm_state', { enum: 'ltssm_state' }),
  u(1, 'first_negotiated_lane_number'),
  bits(2, 'link_state_flags', {
    lane_reversal: [0, 0],
    perst_asserted: [1, 1],
    prsnt_present: [2, 2],
    power_control_off: [3, 3],
  }),
]);

/** 16 bytes. */
export const portInfoBlock = struct('port_info_block', [
  u(1, 'port_id'),
  ...portState.fields,
  u(1, 'supported_ld_count'),
]);

/** 4 bytes. */
export const vppbInfo = struct('vppb_info', [
  u(1, 'binding_status', { enum: 'vppb_binding_status' }),
  u(1, 'bound_port_id'),
  u(1, 'bound_ld_id'),
  reserved(1),
]);

/** 4 + 4*min(request.vppb_list_limit, number_of_vppbs) bytes. */
export const vcsInfoBlock = struct('vcs_info_block', [
  u(1, 'vcs_id'),
  u(1, 'vcs_state', { enum: 'vcs_state' }),
  u(1, 'usp_id'),
  u(1, 'number_of_vppbs', { help: 'how many the VCS has, listed or not' }),
  list('vppb_information_list', vppbInfo, 'vppb-window'),
]);

/** 16 bytes. */
export const ldAllocation = struct('ld_allocation', [
  u(8, 'range_1_allocation_multiplier'),
  u(8, 'range_2_allocation_multiplier'),
]);

/** 9 bytes. */
export const headInfo = struct('head_info', [
  u(1, 'port_number'),
  u(1, 'maximum_link_width'),
  u(1, 'negotiated_link_width'),
  u(1, 'supported_link_speeds_vector'),
  u(1, 'maximum_link_speed', { enum: 'link_speed' }),
  u(1, 'current_link_speed', { enum: 'link_speed' }),
  u(1, 'ltssm_state', { enum: 'ltssm_state' }),
  u(1, 'first_negotiated_lane_number'),
  u(1, 'link_state_flags'),
]);

/** 40 bytes. */
export const dcExtent = struct('dc_extent', [
  u(8, 'starting_dpa'),
  u(8, 'length'),
  bytes('tag', 16, { secret: true }),
  u(2, 'shared_extent_sequence'),
  reserved(6),
]);

/** 24 bytes. */
export const updatedExtent = struct('updated_extent', [u(8, 'starting_dpa'), u(8, 'length'), reserved(8)]);

/** 40 bytes. */
export const dcRegionFm = struct('dc_region_fm', [
  u(8, 'region_base'),
  u(8, 'region_decode_length'),
  u(8, 'region_length'),
  u(8, 'region_block_size'),
  bits(1, 'dsmas_flags', {
    non_volatile: [2, 2],
    sharable: [3, 3],
    hw_managed_coherency: [4, 4],
    interconnect_specific_dc_management: [5, 5],
    read_only: [6, 6],
  }),
  reserved(3),
  bits(1, 'sanitize_on_release', { enabled: [0, 0] }),
  reserved(3),
]);

/** 40 bytes. */
export const dcRegionHost = struct('dc_region_host', [
  u(8, 'region_base'),
  u(8, 'region_decode_length'),
  u(8, 'region_length'),
  u(8, 'region_block_size'),
  u(4, 'dsmad_handle'),
  bits(1, 'flags', { sanitize_on_release: [0, 0] }),
  reserved(3),
]);

/** 84 bytes. */
export const dcTagInfo = struct('dc_tag_info', [
  bytes('tag', 16, { secret: true }),
  bits(1, 'flags', { fm_holds_reference: [0, 0] }),
  reserved(3),
  bitmap('reference_bitmap', 32, 'host-id'),
  bitmap('pending_reference_bitmap', 32, 'host-id'),
]);

/** 16 bytes. */
export const mediaErrorRecord = struct('media_error_record', [
  bits(8, 'media_error_address', { error_source: [0, 2, 'media_error_source'], address_63_6: [6, 63] }),
  u(4, 'media_error_length'),
  reserved(4),
]);

/** 16 bytes. */
export const dpaRange = struct('dpa_range', [u(8, 'starting_dpa'), u(8, 'length')]);

/** 2 bytes. */
export const mediaOpEntry = struct('media_op_entry', [
  u(1, 'media_operation_class', { enum: 'media_operation_class' }),
  u(1, 'media_operation_subclass'),
]);

/** 20 bytes. */
export const supportedLogEntry = struct('supported_log_entry', [uuid('log_identifier'), u(4, 'log_size')]);

/** 48 bytes. */
export const supportedFeatureEntry = struct('supported_feature_entry', [
  uuid('feature_identifier'),
  u(2, 'feature_index'),
  u(2, 'get_feature_size'),
  u(2, 'set_feature_size', { help: '0 for a feature that cannot be changed' }),
  bits(4, 'attribute_flags', {
    changeable: [0, 0],
    deepest_reset_persistence: [1, 3],
    persist_across_firmware_update: [4, 4],
    default_selection_supported: [5, 5],
    saved_selection_supported: [6, 6],
  }),
  u(1, 'get_feature_version'),
  u(1, 'set_feature_version'),
  u(2, 'set_feature_effects'),
  reserved(18),
]);

/** 4 bytes. */
export const celEntry = struct('cel_entry', [u(2, 'opcode'), u(2, 'command_effect')]);

/** 128 bytes. */
export const eventRecord = struct('event_record', [
  uuid('event_record_identifier'),
  u(1, 'event_record_length'),
  bits(3, 'event_record_flags', {
    severity: [0, 1, 'event_log'],
    permanent_condition: [2, 2],
    maintenance_needed: [3, 3],
    performance_degraded: [4, 4],
    hardware_replacement_needed: [5, 5],
    maintenance_subclass_valid: [6, 6],
    ld_id_valid: [7, 7],
    head_id_valid: [8, 8],
  }),
  u(2, 'event_record_handle'),
  u(2, 'related_event_record_handle'),
  u(8, 'event_record_timestamp'),
  u(1, 'maintenance_operation_class'),
  u(1, 'maintenance_operation_subclass'),
  u(2, 'ld_id'),
  u(1, 'head_id'),
  reserved(11),
  // A dynamic capacity record carries the tag of its extent.
  bytes('event_record_data', 80, { secret: true }),
]);
