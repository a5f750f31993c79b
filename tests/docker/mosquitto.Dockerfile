# Stands in for eclipse-mosquitto where no registry can be reached: Debian's, with the same user and folders.
FROM python:3.13-slim-trixie
RUN apt-get update && apt-get install -y --no-install-recommends 'mosquitto=2.0.*' && rm -rf /var/lib/apt/lists/* \
  && usermod --uid 1883 mosquitto && groupmod --gid 1883 mosquitto \
  && install -d -o 1883 -g 1883 /mosquitto/config /mosquitto/data
VOLUME /mosquitto/data
CMD ["mosquitto", "-c", "/mosquitto/config/mosquitto.conf"]
