export * from './contract.ts';
export { createRecording, RECORDING_NAME, type RecordingParts } from './create.ts';
export { newRecordingKey, type RecordingKeyPair, recordingPrivateKey, recordingPublicKey } from './key.ts';
export { type CastEvent, type OpenRecording, readRecording } from './read.ts';
