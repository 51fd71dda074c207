# SPDX-License-Identifier: Apache-2.0
"""A run: from sources to the consumer, each part in a thread of its own.

The way of a block, and the files in its order:

feeding.py     The thread of a recording, or of a device, puts a block into a lane. A device's is
               finished and its stamps mapped first, and a recorder is offered a copy.
lane.py        A lane is the way from a source to the worker. That of a recording makes it wait;
               that of a live stream is a ring, which drops all that waits when it runs over.
worker.py      One thread takes the blocks, closes windows, and puts these into `pending.py`, which
               drops those nobody has time for; the most urgent one is made into features.
inference.py   One thread owns the engines (`engines.py`) and turns features into embeddings. It is
               watched, and replaced should a run hang.
run.py         Wires and ends all this; the consumer iterates over the embeddings, in its own
               thread, and may hand them to the threads of `publishing.py`.

Everything that goes wrong is told to `incidents.py` and costs only what it concerns.
"""
