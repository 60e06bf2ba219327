/** What can become of a frame. Counted in `trefoil_uplink_frames_total`, by these slugs; docs/lifecycles/ shows where each one is reached. */
export const outcomes = {
  "uplink/accepted": "Claimed, stored and delivered.",
  "uplink/repeated":
    "The frame that was accepted last, again (TS001-1.0.4 §4.3.1.2): not delivered twice; a confirmed one is acknowledged again.",
  "uplink/repeated-too-often": "The same confirmed frame, more often than a device would send it: no longer answered.",
  "uplink/replay": "An authentic frame of the past; also the last confirmed one, long after it was answered.",
  "uplink/counter-gap": "More frames are missing than MaxFCntGap allows (LoRaWAN 1.0.3 §4.3.1.5).",
  "uplink/mic": "No session with this DevAddr made this MIC.",
  "uplink/unknown-dev-addr": "An address of this network that no session has.",
  "uplink/other-network": "An address of another network.",
  "uplink/malformed": "No LoRaWAN frame.",
  "uplink/not-uplink": "A frame that only networks send.",
  "uplink/proprietary": "A proprietary frame.",
  "uplink/rejoin": "A rejoin-request: not handled yet.",
  "uplink/not-stored": "The store failed: nothing was claimed, the frame may come again.",
  "join/accepted": "A session was made, and the join-accept handed to a gateway.",
  "join/not-sent": "A session was made, but no gateway took the join-accept.",
  "join/unknown-device": "No device has this DevEUI and JoinEUI.",
  "join/busy": "Another join-request of this device is on its way to the join-server.",
  "join/refused": "The join-server refused it.",
  "join/no-answer": "The join-server did not answer in time.",
  "join/malformed-answer": "The join-server's answer lacks something, or is none.",
  "join/keys": "A key envelope cannot be opened with this network's KEK.",
  "join/downgraded": "The answer would make a session of 1.0.x for a device of 1.1.",
  "join/not-stored": "The store failed: there is no session.",
} as const;
export type Outcome = keyof typeof outcomes;
