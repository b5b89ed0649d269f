export { TlsFiles, type TlsFilesOptions, type TlsLook, type TlsPaths } from './files.ts';
export { type CertificateFacts, checkMaterial, secureContext, TlsError, type TlsMaterial } from './material.ts';
export { OpenSockets } from './open-sockets.ts';
export {
  type ClientCertificates,
  clientCertificate,
  type HandshakeRefusal,
  handshakeRefusal,
  isLoopbackAddress,
  type PeerRefusal,
  type PeerVerdict,
} from './peer.ts';
