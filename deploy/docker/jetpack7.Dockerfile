# SPDX-License-Identifier: Apache-2.0
# JetPack 7 (Thor, and Orin from 7.2): its containers are those of Arm servers, and there is no
# l4t-jetpack of it. This one brings CUDA 13.0, TensorRT 10.13 and Python 3.12.
#   docker build -f deploy/docker/jetpack7.Dockerfile -t sensebind:jetpack7 .
#   docker run --rm --runtime nvidia sensebind:jetpack7 doctor
FROM nvcr.io/nvidia/tensorrt:25.09-py3

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
RUN deploy/install.sh --jetpack 7 --gpu --prefix /opt/sensebind

RUN useradd --uid 10001 --create-home --groups audio,dialout,video sensebind \
    && install -d -o sensebind -g sensebind /var/lib/sensebind /var/cache/sensebind
# A volume here keeps compiled kernels and plans.
ENV SENSEBIND_CACHE=/var/cache/sensebind
USER 10001
WORKDIR /var/lib/sensebind
ENTRYPOINT ["/opt/sensebind/bin/sensebind"]
CMD ["doctor"]
