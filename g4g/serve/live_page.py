"""The live page: a microphone or a sound file goes out, the talking picture comes in (WebRTC)."""

LIVE_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>g4g live</title>
<style>
body {font-family: system-ui, sans-serif; max-width: 60rem; margin: 1rem auto; padding: 0 1rem}
video {width: 100%; background: #000; border-radius: 8px}
button, label.file {font: inherit; padding: .5rem 1rem; margin: .5rem .5rem .5rem 0; cursor: pointer}
#told {min-height: 1.5em; color: #555}
</style>
<h1>g4g live</h1>
<p>What you say, this person says, half a second later. The picture is made by a machine: tell whoever sees it, and use
only people who agreed. Use headphones, or the microphone hears the answer. Nothing leaves the computer that runs this
page.</p>
<video id="picture" autoplay playsinline></video>
<p><button id="talk">Speak</button><button id="hush" disabled>Interrupt</button><button id="end" disabled>End</button>
<label class="file">or a sound: <input id="file" type="file" accept="audio/*"></label></p>
<p id="told" role="status"></p>
<script>
const at = id => document.getElementById(id), tell = words => at("told").textContent = words;
let peer = null, control = null, source = null;

async function fromFile(file) {
  const context = new AudioContext(), out = context.createMediaStreamDestination();
  const player = new Audio(URL.createObjectURL(file));
  context.createMediaElementSource(player).connect(out);
  return {stream: out.stream, start: () => player.play(), stop: () => {player.pause(); context.close()}};
}

async function fromMicrophone() {
  const stream = await navigator.mediaDevices.getUserMedia(
    {audio: {echoCancellation: true, noiseSuppression: false, autoGainControl: false}});
  return {stream, start: () => {}, stop: () => stream.getTracks().forEach(track => track.stop())};
}

async function gathered(peer) {
  while (peer.iceGatheringState !== "complete")
    await new Promise(done => peer.addEventListener("icegatheringstatechange", done, {once: true}));
}

async function begin(open) {
  finish();
  tell("Opening ...");
  try {
    source = await open();
    peer = window.peer = new RTCPeerConnection();
    const coming = new MediaStream();
    peer.ontrack = event => {coming.addTrack(event.track); at("picture").srcObject = coming};
    peer.onconnectionstatechange = () => {
      if (peer && peer.connectionState === "connected") {tell("Speak."); source.start()}
      if (peer && ["failed", "disconnected"].includes(peer.connectionState)) {finish(); tell("The connection is lost.")}
    };
    control = peer.createDataChannel("control");
    control.onmessage = event => tell(event.data);
    source.stream.getAudioTracks().forEach(track => peer.addTrack(track, source.stream));
    peer.addTransceiver("video", {direction: "recvonly"});
    await peer.setLocalDescription(await peer.createOffer());
    await gathered(peer);
    const answer = await fetch("offer", {method: "POST", headers: {"Content-Type": "application/json"},
      body: JSON.stringify({sdp: peer.localDescription.sdp, type: peer.localDescription.type})});
    if (!answer.ok) throw new Error(await answer.text());
    await peer.setRemoteDescription(await answer.json());
    at("hush").disabled = at("end").disabled = false;
  } catch (error) {finish(); tell(error.message)}
}

function finish() {
  if (source) source.stop();
  if (peer) peer.close();
  peer = control = source = null;
  at("hush").disabled = at("end").disabled = true;
}

addEventListener("pagehide", finish);
at("talk").onclick = () => begin(fromMicrophone);
at("file").onchange = event => event.target.files.length && begin(() => fromFile(event.target.files[0]));
at("hush").onclick = () => control.send("interrupt");
at("end").onclick = () => {finish(); tell("Ended.")};
</script></html>
"""
