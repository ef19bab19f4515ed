//! Tokens and keys of the standards, and those made by another implementation.

// RFC 7515 appendix A.1
pub(super) const A1: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGx\
     lLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

pub(super) const A1_SECRET: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

// RFC 7515 appendix A.2
pub(super) const A2: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp\
     0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9\
     uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383\
     LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVm\
     tVrBp0igcN_IoypGlUPQGe77Rw";

pub(super) const A2_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ\
     S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2\
     R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcD\
     TW9gb54h4FRWyuXpoQ";

// RFC 7515 appendix A.3
pub(super) const A3: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp\
     0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

pub(super) const A3_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";

pub(super) const A3_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

// RFC 8037 appendix A.4: its payload is a sentence, not claims
pub(super) const EDDSA: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcN\
     R4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

// RFC 8037 appendix A.2
pub(super) const EDDSA_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

// RFC 8037 appendix A.1
pub(super) const EDDSA_SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

// RFC 7638 §3.1
pub(super) const RFC7638_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3\
     oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA\
     ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-\
     kEgU8awapJzKnqDKgw";

// Made with Python's cryptography 48 (OpenSSL): key = rsa.generate_private_key(65537, 2048), then
// key.sign(input, padding.PSS(padding.MGF1(SHA256()), 32), SHA256()); the claims are
// {"iss":"https://id.example/","aud":"shop","sub":"u-1","exp":2000000000}, the header {"alg":"PS256","kid":"ps"}.
pub(super) const PS256: &str = "eyJhbGciOiJQUzI1NiIsImtpZCI6InBzIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUvIiwiYXVkIjoic2hvcCIsInN1YiI6InUtMSIs\
     ImV4cCI6MjAwMDAwMDAwMH0.Eu_o3A35Pi0ovr2hhAiiGZtJ2FPo9cm3aYKq7nwSqp0OgIDV8lxG_zniH6ngpoi3We258oxPWVZsNeHP-0dr\
     RHWF4Jg0mN1CjV_pTGUDReWCAU_xUG2QoZECvKOU_1ebG3SFiSApURrWT-V4odgVyfSfNNzZMX6qxlJwyRKh9bP-RzN7zzclkQXC6hBZ54zK\
     HmVXubR63Pl9D3mRS6VELYA2B_j_a7vjPICAYDQnagQLb8T2I7Z8Z7DH4J5C_3q3WM-Tdz6UcwrXejP7L5nQ4J3ecC5fM0Z4obFEvmD_4lmM\
     M076ovdaTSh3Ui29nyOzo7djEw4IMKMs9g2cVIwJvw";

pub(super) const PS256_N: &str = "zMrd7MudtsuFVIHeVvtNRGF4MbTjTFyu46eepqX8I5wYT8eNWXOJ1p32TNPuM2l0nUXJM-nPUkft23i8d_DAdMZNtdVKC_--GP950SAChJem\
     NJL7tiNJjZ3xvobLXQqxBbxiDcGknRiXRRtK3FbceXAhWT4xCvp_sb98hY-nuLeHYGnchOGugA9Jdv1oWehfbKx6S-_difppm-9LsE5H05Zx\
     E2LMALDpcs8OWDVQce8wkHqBduNwV4UHgO_SMbzfca4hI4ZJaP31Z246AkkOHnAqeO4KTrbBz-svCs4Nmt-U_Sc_knIOPi7B0nhU1XoCz3C0\
     eKETC5OuaD__1Jd8Gw";

// The same, but with a salt of 20 bytes: RFC 7518 §3.5 demands 32.
pub(super) const PS256_SALT_20: &str = "eyJhbGciOiJQUzI1NiIsImtpZCI6InBzIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUvIiwiYXVkIjoic2hvcCIsInN1YiI6InUtMSIs\
     ImV4cCI6MjAwMDAwMDAwMH0.Btp37kXOdC7G4ZIpAtW-JAamBiSMZEfSpAU7tw5X3iYM3NY75c84KQb1oJX8OyNQrtIh2D0LdjylCbjNUbB3\
     e4i12gxmvXIBkRrYmvsdZp9yotPPFY37zWQ3cQK-xCeQxsSkBavn6bsS2pdZkLE88tqBJgObuaId4KtjqLCGDfFtI3SKyG1rlV5ehhe9B-i2\
     2E5ZKNvc7rTvNmNjAigVByJd5fs3eIMYBYtdLw93gYyIP9VTvLGUa2Vyd4_w_0PMySNXU6IWms4dQmXZwOZ8TnRYUUx-uG61fb2CatNgaWW_\
     JdCc5SO300e0yzUY-LtQYY7fDX00AfjlHLhdzr17Wg";

// Made likewise: key = ec.generate_private_key(SECP384R1()), key.sign(input, ECDSA(SHA384())), r and s of it in 48 bytes
// each; the header is {"alg":"ES384","kid":"p384"}.
pub(super) const ES384: &str = "eyJhbGciOiJFUzM4NCIsImtpZCI6InAzODQifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUvIiwiYXVkIjoic2hvcCIsInN1YiI6InUtM\
     SIsImV4cCI6MjAwMDAwMDAwMH0.CglqtahEDMrB-fMp_idPP92IXMManJ5gROd_hJ8F9vfyICeG9AtPyZ_3d1Dnj1tUOOwHv00xkj7GIJdrr\
     Gj25aSpGTKneMDBHybZuu1ol6YbQkVd5XcvWKD-KgkBwA4t";

pub(super) const ES384_X: &str = "XSF7UAYz1yMpSLZl-K-1mS5fUrZSMwwWDX1XAyzEU6kaKiyOhXgMvriRsCxND2E3";

pub(super) const ES384_Y: &str = "LxqZ0h-KFE0IHUWbD_lFdmi8hHEGTrNJNoYZ_MArch1S2pIsF-Bmsjj4DydiV_AW";

// The same signature in DER, as no JWT may carry it.
pub(super) const ES384_DER: &str = "eyJhbGciOiJFUzM4NCIsImtpZCI6InAzODQifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUvIiwiYXVkIjoic2hvcCIsInN1YiI6InUtM\
     SIsImV4cCI6MjAwMDAwMDAwMH0.MGQCMAoJarWoRAzKwfnzKf4nTz_diFzDGpyeYETnf4SfBfb38iAnhvQLT8mf93dQ549bVAIwOOwHv00xk\
     j7GIJdrrGj25aSpGTKneMDBHybZuu1ol6YbQkVd5XcvWKD-KgkBwA4t";

// Moduli of these many bits, from rsa.generate_private_key.
pub(super) const N_2040: &str = "tLnmXP4W4amrDlPnns6egr9gzHRzTy3EQelHtbmSInXYeBsS_U2UZSdQ0v1_Oua-BdixdxwbiHp-SuYm5UMni5o7Ilf3jFTt7Al-Vmcns3g6\
     KUugmJYjcE3MVg2K9ETZXBTzrA2QNPtQ2K2mxLwaprxZ5Fs8HbiJxnzgrUVp8tgwcmY8vPpdy1CPrV9CONWS0mrBndNRcdPvW8EamKBSkl9s\
     0uA18cJP1WV7v4j8mJrZbmzpVCcnDRC3Xdgv0Psp9gRtF7eUw1QziZoerfACFupwfy3YkzIEKEva_2SYZKbAMl4VS_EBqK5WxR7X2_tBBCNn\
     Ljx20eLzjqDBdhA_";

pub(super) const N_8192: &str = "8YRq_Jeo79efdLvqIbDKn5IUabaovOqEL0C9Gk71uDx6T_7qgOBJHsgjtxnibHx_7GMGlj3Muz2nhe5TtZPX39ardeB-rucqkmwBpIi0YHcl\
     zXTjESCX061VJLxojMZvkLtv9n482l1IQ4tZEzUDnQjxJzT0tURKFA11AhScNsC3SSKcIgPRT6eSsA1X0nmOq31Ml7tW1ATkh5i1kE9CSrBF\
     Dbq1gqeWSS_Fi21YNUFeTx-z8w0_5lHZN1KbrORmVFL2IexXr29Z3BPKpdsa6ALSZiShv2iAZ_c7xCeAkb3rweXjAS0Duc7514SBBAGJnTeG\
     6Qfx9GXs01J12aK1gwGdJy673ImBV3_8BCB_36s7uckf9ODam11B2e3cMr4DWdUfxFb4GZMCwfaImmQH7-bsivcwzMo7cT_AqB7Ze-nxrBLz\
     tm85XU8b23-Y45-Y8KoCCBY-m4JIuvzSWpxqagdxTtpCXpJ2izRFoCEpDXh9JMuTMO-E7LSzvqsCdWQFc_Tll8uq-Bc1umFvlMEiY57W8rB9\
     44lrLRXKO5WhXR8d_Vzg8iMvuHaAssT4-93w1tSdGmW9wSCFwC3TulZKnu5DpxlsoAm_iENgJVOlCscgffPeYq-6qGRlsT12XXwe5i0Eov6E\
     c6qNaoSh8v-c_GIZpfzfet4fPtG3R9Ll3cBknZHQVLPow2apWrBI_GkBu3ae1wM8rVMrALrb8nHSZ36msy0OHY-BjQuWdu7KFw74hT-N8KC6\
     KXWUKeQlvymz2BfsSoVIas5ZVFmCYzr05iUHsWGG4dRTeEkD3ROEr8QPfUFFPwliuig1kwS8vlam3-ZVoBY7YvdnYWRNisYO2390NW86z_ZI\
     AxRRW4D9-OAuiW0i1PtCC0XWSByToMYCVEFRZI44KbInvbYP8Lnq1zHaI2YoVjN-CcFiGfZkvHZIg7Sz7QbasAtWkRlP3UPyPTEp0fGPbbID\
     AYix4urQphd4qj2wNcoqRi_4JGTS4aaxABa9tz-xTgekOitUyHiVXpb-jyrMp9jyTpb8ZSiB62_jU15NfCg1MW54_3cv7wUQx9wl4Vf2qzhU\
     iNqV9VFONHnKjpfEUaTFZ90wM5AMXbZuVV-pHsuafat5EvVeNQ8jHJea6IvNrev-1Fopv0it-U0rvJoj03B8OGJ8xy65ZDvVDHQdKCPeIq-u\
     r4zLlP2GvSr-YoTH45O6ZjHdmUDPIDoCti23HN_Zgm2If56ATO_usPcvnefnMvNFiJUX6v2MN1N5jN-sGEIznfSF819qXJ5ZDm64Vg0634Y7\
     zggarv_OFORzRKKyxSXnaYjNeE_wPTYEsCUZsvnMUrHcWmn88d6Kt5Fz7uXwtE2CzKBWPQ";

// A modulus one bit longer than whole bytes, of two primes by openssl prime; signatures of "portico" by openssl dgst -sha256 -sign,
// the second with -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32.
pub(super) const N_2049: &str = "AZXruDfGaKI9MB-wAqBJhJ0z9tWHw4otmlS8pf5WHjY_D3Yl9bIN-Mkfp_UesGidt8Sy4RjEEjXFEU4n8Q89VC8Yrg5UJbC8Dqp7FYXjcmCdYn\
     uZDkBcpfdnUx7RHuIP3M3VI_zVpcZXqqZOLM_RxFbtsxDIRkQ6Ax1r0qzNYowu0CUuxcav7sPzh0NMHZJ4KnXz30PrUfUO53nQkjEr1pZ1AeYA\
     hDC262ebLtJmL9D6mMVDabdt3h63swOI4gfRAlHlrC60F-w7sV1w8LsfQVhT89eUH3uAYfRum9o7siHsKnNUtucxMZ2iETWbJQFu3cMeDPK9LI\
     eQkvL2YnDS3Sc";

pub(super) const RS256_2049: &str = "AXstQR3xE7I9vLNZRQPKgq68Nud5xAfLLY3VHF8sSBBEvuzwxiJTM9iETvPdomhnsWcs8QBMRg_XGHDbJO--_tek3LfEZ7md33PryVAl2_F7l1\
     NoTEa0Y8jB2IJMJ81E8qtq7AaW3NeNcyd1HGYdPrwn6mJP0WCnZ5KOBpo255cEBEPSZME8Oty8kstmy6C58yU8vowABfLOeVtAIoPAFdLdJGQ-\
     itQp-3zOFHE8uKRYMl3V7O_soD5h_RFjrHY5tceXC87YDymr9dCVOPCNecLsSrvDfCNp42Bg7Z1kaOE9LAr7lF89RbajpYSXSTQIrFNIVLdKkY\
     DdamgoEtmajHs";

pub(super) const PS256_2049: &str = "AXRSSh5H6s1kQZ79XvZxQ--F_a7ROV7de_yiP2IaguDMdkhZXqFI5lWh7x69HOvbGpFNdbEBNNREZJoOMzQcFjoK32zJV1G5yO9lhJreW5eBnZ\
     0RQpKsCk_AiB9aSVYtHeHFnYcbeRq-RWGJ91NCo2Q2NyemVXaBHklCoeBuS8p5uNe8K7UdzAUXm0qcUYG86T01I10YUYWaGIXYCIr28NL2V1C0\
     yWDA196SHQUao162IrUC2dyNDNE4-D3hxYZp2AXBAGV0nbmjEQu47AWXEsXNi2fiyuDb3r7d2U9t_HtE22hC7ALXwqDSambKLRjOyNUiKlMXEV\
     iidfgV1_FfE88";
