# Debian with systemd as its first process, and the program as in the image that is tested: a place to install the service.
ARG IMAGE
# hadolint ignore=DL3006
FROM ${IMAGE}
# hadolint ignore=DL3002
USER 0:0
# those two would set up the machine itself
RUN apt-get update && apt-get install -y --no-install-recommends 'systemd=257.*' 'dbus=1.16.*' \
  && rm -rf /var/lib/apt/lists/* && systemctl mask systemd-sysctl.service systemd-modules-load.service \
  && ln -s /opt/blikk/bin/blikk /usr/local/bin/blikk
ENTRYPOINT []
# as on a machine, where systemd does it itself: what it mounts for a service is seen there
CMD ["sh", "-c", "mount --make-rshared / && exec /lib/systemd/systemd"]
