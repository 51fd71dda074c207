# SPDX-License-Identifier: Apache-2.0
# A computer without a GPU: the versions of JetPack 7 on Python 3.12, encoders on the CPU.
#   docker build -f deploy/docker/x86.Dockerfile -t sensebind .
#   docker run --rm -v "$PWD:/var/lib/sensebind" sensebind replay drive.mcap --out drive.parquet
FROM python:3.12-slim-bookworm AS build

WORKDIR /src
COPY pyproject.toml README.md LICENSE THIRD_PARTY.toml ./
COPY runtime runtime
COPY engines engines
COPY calibration calibration
COPY deploy deploy
ENV PIP_NO_CACHE_DIR=1
RUN deploy/install.sh --jetpack 7 --cpu --prefix /opt/sensebind

FROM python:3.12-slim-bookworm

# Microphones; OpenCV's and matplotlib's wheels bring what they need.
# Versions are the distribution's: one that is named here vanishes with the next update.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libportaudio2 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/sensebind /opt/sensebind
RUN useradd --uid 10001 --create-home --groups audio,dialout,video sensebind \
    && install -d -o sensebind -g sensebind /var/lib/sensebind /var/cache/sensebind
# A volume here keeps compiled kernels.
ENV SENSEBIND_CACHE=/var/cache/sensebind
USER 10001
WORKDIR /var/lib/sensebind
ENTRYPOINT ["/opt/sensebind/bin/sensebind"]
CMD ["doctor"]
