# SPDX-License-Identifier: Apache-2.0
# JetPack 6 (Orin): CUDA 12.6, TensorRT 10.3 and Python 3.10 come with the base image.
#   docker build -f deploy/docker/jetpack6.Dockerfile -t sensebind:jetpack6 .
#   docker run --rm --runtime nvidia sensebind:jetpack6 doctor
FROM nvcr.io/nvidia/l4t-jetpack:r36.4.0

# libportaudio2: microphones. The rest builds pycuda.
# Versions are the distribution's: one that is named here vanishes with the next update.
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        g++ libportaudio2 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /src
COPY pyproject.toml README.md LICENSE THIRD_PARTY.toml ./
COPY runtime runtime
COPY engines engines
COPY calibration calibration
COPY deploy deploy
ENV PIP_NO_CACHE_DIR=1
RUN deploy/install.sh --jetpack 6 --gpu --prefix /opt/sensebind

RUN useradd --uid 10001 --create-home --groups audio,dialout,video sensebind \
    && install -d -o sensebind -g sensebind /var/lib/sensebind /var/cache/sensebind
# A volume here keeps compiled kernels and plans.
ENV SENSEBIND_CACHE=/var/cache/sensebind
USER 10001
WORKDIR /var/lib/sensebind
ENTRYPOINT ["/opt/sensebind/bin/sensebind"]
CMD ["doctor"]
