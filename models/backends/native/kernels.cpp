// The three loops that a CPU spends its time in: 3x3 convolution, instance norm, nearest code. fp32, channels last.
//
// The convolution is Winograd's F(4x4, 3x3) (Lavin and Gray 2016, arXiv:1509.09308): a tile of 6x6 inputs is transformed to 36
// numbers a channel, multiplied there, and transformed back to 4x4 outputs; a quarter of the multiplications of the plain sum.
//
// Legend: C channels in, O channels out, H W rows and columns (multiples of 4), K the sum's length, L floats of one vector register.

#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <new>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr int L = 16, ROWS = 8;
#elif defined(__AVX2__)
constexpr int L = 8, ROWS = 4;
#else
constexpr int L = 4, ROWS = 8;
#endif
constexpr int PANEL = 2 * L;  // columns that one pass over K makes, for ROWS rows at once: as many sums as there are registers
constexpr int POSITIONS = 36;
constexpr long CACHE = 600 * 1024;  // bytes of transformed tiles that stay in a core's second-level cache

typedef float Vector __attribute__((vector_size(L * sizeof(float))));
typedef int Integers __attribute__((vector_size(L * sizeof(int))));
typedef float Unaligned __attribute__((vector_size(L * sizeof(float)), aligned(sizeof(float)), may_alias));

inline Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
inline void store(float* to, Vector value) { *reinterpret_cast<Unaligned*>(to) = value; }
inline Vector all(float value) { return value - Vector{}; }

// A thread's own memory, kept from call to call.
float* scratch(size_t floats) {
    struct Block {
        float* data = nullptr;
        size_t size = 0;
        ~Block() { std::free(data); }
    };
    thread_local Block block;
    if (block.size < floats) {
        std::free(block.data);
        block.size = (floats + 15) / 16 * 16;
        block.data = static_cast<float*>(std::aligned_alloc(64, block.size * sizeof(float)));
        if (!block.data) throw std::bad_alloc();
    }
    return block.data;
}

// sums[ROWS][PANEL] = a[ROWS][K] * b[K][PANEL]
inline void multiply(const float* a, long a_row, const float* b, long K, float* sums, long sums_row) {
    Vector left[ROWS] = {}, right[ROWS] = {};
    for (long k = 0; k < K; ++k) {
        const Vector b_left = load(b + k * PANEL), b_right = load(b + k * PANEL + L);
#pragma GCC unroll 8
        for (int row = 0; row < ROWS; ++row) {
            const Vector factor = all(a[row * a_row + k]);
            left[row] += factor * b_left;
            right[row] += factor * b_right;
        }
    }
#pragma GCC unroll 8
    for (int row = 0; row < ROWS; ++row) {
        store(sums + row * sums_row, left[row]);
        store(sums + row * sums_row + L, right[row]);
    }
}

// The polynomials are met at 0, +-A, +-B and infinity. Textbooks take 1 and 2; these two halve the rounding error (measured: 5.4e-7 of the
// outputs' deviation instead of 1.0e-6 over 64 channels; the plain sum has 4.5e-7).
constexpr float A = 0.625f, A2 = A * A, B = 1.5f, B2 = B * B;

// B^T d: six numbers a row of the tile
inline void transform_in(const Vector d[6], Vector out[6]) {
    const Vector near_even = d[4] - B2 * d[2], near_odd = A * (d[3] - B2 * d[1]);
    const Vector far_even = d[4] - A2 * d[2], far_odd = B * (d[3] - A2 * d[1]);
    out[0] = A2 * B2 * d[0] - (A2 + B2) * d[2] + d[4];
    out[1] = near_even + near_odd;
    out[2] = near_even - near_odd;
    out[3] = far_even + far_odd;
    out[4] = far_even - far_odd;
    out[5] = A2 * B2 * d[1] - (A2 + B2) * d[3] + d[5];
}

// A^T m: four outputs
inline void transform_out(const Vector m[6], Vector out[4]) {
    const Vector near_even = m[1] + m[2], near_odd = m[1] - m[2], far_even = m[3] + m[4], far_odd = m[3] - m[4];
    out[0] = m[0] + near_even + far_even;
    out[1] = A * near_odd + B * far_odd;
    out[2] = A2 * near_even + B2 * far_even;
    out[3] = A2 * A * near_odd + B2 * B * far_odd + m[5];
}

// G g: six numbers of three weights
void transform_weights(const double g[3], double out[6]) {
    const double a = A, b = B, near = 2 * a * a * (a * a - b * b), far = 2 * b * b * (b * b - a * a);
    out[0] = g[0] / (a * a * b * b);
    out[1] = (g[0] + a * g[1] + a * a * g[2]) / near;
    out[2] = (g[0] - a * g[1] + a * a * g[2]) / near;
    out[3] = (g[0] + b * g[1] + b * b * g[2]) / far;
    out[4] = (g[0] - b * g[1] + b * b * g[2]) / far;
    out[5] = g[2];
}

struct Plane {
    long height, width;
    long tiles_across() const { return width / 4; }
    long tiles() const { return height / 4 * tiles_across(); }
};

// One tile's 6x6 inputs, zeros beyond the border, L channels -> 36 numbers, `stride` floats apart
void tile_in(const float* x, Plane plane, long C, long tile, float* out, long stride) {
    const long top = tile / plane.tiles_across() * 4 - 1, left = tile % plane.tiles_across() * 4 - 1;
    for (long c = 0; c < C; c += L) {
        Vector columns[6][6];
        for (long j = 0; j < 6; ++j) {
            Vector pixels[6], transformed[6];
            for (long i = 0; i < 6; ++i) {
                const bool inside = unsigned(top + i) < unsigned(plane.height) && unsigned(left + j) < unsigned(plane.width);
                pixels[i] = inside ? load(x + ((top + i) * plane.width + left + j) * C + c) : Vector{};
            }
            transform_in(pixels, transformed);
            for (int i = 0; i < 6; ++i) columns[i][j] = transformed[i];
        }
        for (int i = 0; i < 6; ++i) {
            Vector transformed[6];
            transform_in(columns[i], transformed);
            for (int j = 0; j < 6; ++j) store(out + (i * 6 + j) * stride + c, transformed[j]);
        }
    }
}

// What a block of tiles adds to mean and variance of L channels: sums of the differences from a first value, which lose nothing where all are near it
struct Moments {
    float *pivot, *sum, *square;
};

// 36 products, `stride` floats apart -> 4x4 outputs of L channels
void tile_out(const float* products, long stride, Plane plane, long O, long tile, Vector bias, bool relu, float* y, const Moments* moments, bool first) {
    Vector rows[4][6];
    for (int j = 0; j < 6; ++j) {
        Vector column[6], transformed[4];
        for (int i = 0; i < 6; ++i) column[i] = load(products + (i * 6 + j) * stride);
        transform_out(column, transformed);
        for (int i = 0; i < 4; ++i) rows[i][j] = transformed[i];
    }
    const long top = tile / plane.tiles_across() * 4, left = tile % plane.tiles_across() * 4;
    Vector sum{}, square{}, pivot{};
    for (int i = 0; i < 4; ++i) {
        Vector outputs[4];
        transform_out(rows[i], outputs);
        if (moments && i == 0) {
            if (first) store(moments->pivot, outputs[0]);
            pivot = load(moments->pivot);
        }
        for (int j = 0; j < 4; ++j) {
            Vector output = outputs[j] + bias;
            if (relu) output = output > 0 ? output : Vector{};
            store(y + ((top + i) * plane.width + left + j) * O, output);
            const Vector difference = output - pivot;
            sum += difference;
            square += difference * difference;
        }
    }
    if (moments) {
        store(moments->sum, load(moments->sum) + sum);
        store(moments->square, load(moments->square) + square);
    }
}

// y = relu((y - mean) / sqrt(variance + epsilon)), by channel; `moments`: of each block of pixels 3 * O floats, as `Moments` has them
void normalise(float* y, long pixels, long O, const std::vector<float>& moments, long pixels_of_block, float epsilon, int threads) {
    std::vector<float> centre(O), scale(O);
    for (long o = 0; o < O; ++o) {
        double count = 0, mean = 0, squares = 0;  // around the mean so far (Chan, Golub and LeVeque 1979)
        const float* block = &moments[o];
        for (long pixel = 0; pixel < pixels; pixel += pixels_of_block, block += 3 * O) {
            const double more = std::min(pixels_of_block, pixels - pixel), offset = block[O] / more;
            const double step = block[0] + offset - mean;
            squares += block[2 * O] - more * offset * offset + step * step * count * more / (count + more);
            mean += step * more / (count + more);
            count += more;
        }
        centre[o] = float(mean);
        scale[o] = float(1 / std::sqrt(std::max(squares, 0.0) / pixels + epsilon));
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long pixel = 0; pixel < pixels; ++pixel) {
        for (long o = 0; o < O; o += L) {
            const Vector value = (load(y + pixel * O + o) - load(&centre[o])) * load(&scale[o]);
            store(y + pixel * O + o, value > 0 ? value : Vector{});
        }
    }
}

}  // namespace

extern "C" {

// Columns of a panel: C must divide by half of it, O and the number of codes by all of it.
long loupe_panel() { return PANEL; }

// Each of the caller's threads stays on one of `processors` from now on.
void loupe_pin(const int* processors, int threads) {
#if defined(__linux__)
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int thread = 0; thread < threads; ++thread) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(processors[thread], &one);
        sched_setaffinity(0, sizeof one, &one);  // where it's forbidden the kernel chooses, as ever
    }
#endif
}

// Weights (O, C, 3, 3) -> G g G^T, as panels (O / PANEL, 36, C, PANEL)
void loupe_pack(const float* weights, long C, long O, float* packed) {
    for (long o = 0; o < O; ++o) {
        for (long c = 0; c < C; ++c) {
            const float* g = weights + (o * C + c) * 9;
            double rows[3][6], columns[6][6];
            for (int p = 0; p < 3; ++p) {
                const double row[3] = {g[p * 3], g[p * 3 + 1], g[p * 3 + 2]};
                transform_weights(row, rows[p]);
            }
            for (int j = 0; j < 6; ++j) {
                const double column[3] = {rows[0][j], rows[1][j], rows[2][j]};
                transform_weights(column, columns[j]);
            }
            for (int i = 0; i < 6; ++i)
                for (int j = 0; j < 6; ++j) packed[((o / PANEL * POSITIONS + i * 6 + j) * C + c) * PANEL + o % PANEL] = float(columns[j][i]);
        }
    }
}

// x (H, W, C) -> y (H, W, O): convolution of stride 1 with a border of zeros, plus `bias` (O, or null);
// then ReLU if `relu`, or, if `epsilon` >= 0, instance norm and ReLU (a bias would be normalised away: give none).
void loupe_convolve(const float* x, long height, long width, long C, const float* packed, const float* bias, long O, int relu, float epsilon, float* y,
                    int threads) {
    const Plane plane{height, width};
    const bool normed = epsilon >= 0;
    const long row = C + L;  // not a power of two, lest the rows share the lines of a cache
    const long block = std::clamp(CACHE / long(POSITIONS * row * sizeof(float)) / ROWS * ROWS, long(ROWS), 8L * ROWS);
    const long blocks = (plane.tiles() + block - 1) / block;
    std::vector<float> moments(normed ? blocks * 3 * O : 0);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (long at = 0; at < blocks; ++at) {
        const long first = at * block, tiles = std::min(block, plane.tiles() - first), padded = (tiles + ROWS - 1) / ROWS * ROWS;
        const long in_stride = padded * row, out_stride = padded * PANEL;
        float* inputs = scratch(POSITIONS * (in_stride + out_stride));
        float* products = inputs + POSITIONS * in_stride;
        for (long tile = 0; tile < tiles; ++tile) tile_in(x, plane, C, first + tile, inputs + tile * row, in_stride);
        for (long o = 0; o < O; o += PANEL) {
            for (long position = 0; position < POSITIONS; ++position)
                for (long tile = 0; tile < padded; tile += ROWS)
                    multiply(inputs + position * in_stride + tile * row, row, packed + (o / PANEL * POSITIONS + position) * C * PANEL, C,
                             products + position * out_stride + tile * PANEL, PANEL);
            for (int half = 0; half < PANEL; half += L) {
                const Vector offset = bias ? load(bias + o + half) : Vector{};
                float* const pivot = normed ? &moments[at * 3 * O + o + half] : nullptr;
                const Moments own{pivot, pivot + O, pivot + 2 * O};
                for (long tile = 0; tile < tiles; ++tile)
                    tile_out(products + tile * PANEL + half, out_stride, plane, O, first + tile, offset, relu, y + o + half, normed ? &own : nullptr, tile == 0);
            }
        }
    }
    if (normed) normalise(y, height * width, O, moments, 16 * block, epsilon, threads);
}

// y (pixels, O): instance norm and ReLU, in place
void loupe_normalise(float* y, long pixels, long O, float epsilon, int threads) {
    constexpr long BLOCK = 64;  // few enough for sums in fp32 to lose nothing that counts
    std::vector<float> moments((pixels + BLOCK - 1) / BLOCK * 3 * O);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long first = 0; first < pixels; first += BLOCK) {
        float* const block = &moments[first / BLOCK * 3 * O];
        std::copy_n(y + first * O, O, block);
        for (long pixel = first; pixel < std::min(first + BLOCK, pixels); ++pixel) {
            for (long o = 0; o < O; o += L) {
                const Vector difference = load(y + pixel * O + o) - load(block + o);
                store(block + O + o, load(block + O + o) + difference);
                store(block + 2 * O + o, load(block + 2 * O + o) + difference * difference);
            }
        }
    }
    normalise(y, pixels, O, moments, BLOCK, epsilon, threads);
}

// Features (N, D) -> the code each is nearest to, N indices: the largest x.e - |e|^2 / 2, `offsets` being -|e|^2 / 2.
// `panels`: the codebook as (K / PANEL, D, PANEL). N must divide by 8. The first of equals wins.
void loupe_nearest(const float* features, long N, long D, const float* panels, const float* offsets, long K, long* indices, int threads) {
    constexpr long BLOCK = 8 * ROWS;  // features that meet a panel while it is in the first-level cache
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long first = 0; first < N; first += BLOCK) {
        const long rows = std::min(BLOCK, N - first);
        float sums[ROWS * PANEL];
        Vector best[BLOCK * 2];
        Integers chosen[BLOCK * 2];  // by lane, the panel of its best
        std::fill(best, best + BLOCK * 2, all(-std::numeric_limits<float>::infinity()));
        for (long panel = 0; panel < K / PANEL; ++panel) {
            const Vector offset[2] = {load(offsets + panel * PANEL), load(offsets + panel * PANEL + L)};
            for (long row = 0; row < rows; row += ROWS) {
                multiply(features + (first + row) * D, D, panels + panel * PANEL * D, D, sums, PANEL);
                for (int at = 0; at < ROWS * 2; ++at) {
                    const Vector score = load(sums + at * L) + offset[at % 2], other = best[row * 2 + at];
                    chosen[row * 2 + at] = score > other ? Integers{} + int(panel) : chosen[row * 2 + at];
                    best[row * 2 + at] = score > other ? score : other;
                }
            }
        }
        for (long row = 0; row < rows; ++row) {
            float highest = -std::numeric_limits<float>::infinity();
            for (int column = 0; column < PANEL; ++column) {
                const long at = row * 2 + column / L, code = chosen[at][column % L] * long(PANEL) + column;
                if (best[at][column % L] > highest || (best[at][column % L] == highest && code < indices[first + row])) {
                    highest = best[at][column % L];
                    indices[first + row] = code;
                }
            }
        }
    }
}
}
