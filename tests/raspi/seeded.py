"""What a user puts on a card: the settings of Raspberry Pi Imager, and a configuration for servers on this machine."""

from pathlib import Path

from machine import CACHE, HOST, Machine

CONFIG = f"""\
node: hallway
mqtt: {{host: {HOST}, username: blikk, password: !secret mqtt_password}}
cameras:
  front_door: {{source: "rtsp://{HOST}:8554/cam", transport: tcp, select: {{every_s: 5s}}}}
health_every_s: 10s
# light enough for an emulated processor, and on every card
detectors: {{default: {{model: blazepose-person}}}}
privacy: {{model: blazeface-full}}
"""
SECRETS = "mqtt_password: open sesame\n"

# as Raspberry Pi Imager 2 writes it, with a name, a user and a key
SEED = """\
#cloud-config
hostname: porch
manage_etc_hosts: true
timezone: Europe/Berlin
keyboard:
  model: pc105
  layout: "de"
enable_ssh: true
users:
- name: ada
  groups: users,adm,dialout,audio,netdev,video,plugdev,cdrom,games,input,gpio,spi,i2c,render,sudo
  shell: /bin/bash
  lock_passwd: true
  ssh_authorized_keys:
    - {key}
  sudo: ALL=(ALL) NOPASSWD:ALL
"""


def seed(machine: Machine, key: Path, *, config: str = CONFIG) -> None:
    """What Imager and the user put on the card."""
    machine.put("user-data", SEED.format(key=key.with_suffix(".pub").read_text().strip()))
    machine.put("blikk.yaml", config)
    machine.put("secrets.yaml", SECRETS)


def keep(machine: Machine, name: str) -> None:
    """The console and the screen of this test, for whoever wants to look."""
    folder = CACHE / "seen"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.log").write_text(machine.console)
